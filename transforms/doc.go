// Package transforms says what is computed: from canonical orders to customers,
// cohorts, retention, survival, lifecycle and value. Everything here is a pure
// function of tables: no files, no clock, no environment, so a metric can be
// tested with ten rows and no disk.
//
// The flow is ledger → customers → metrics:
//
//	Ledger   takes batches of order rows; the latest version of each order wins,
//	         amounts become reporting currency, e-mails and ids become customers.
//	Fold     walks the customers, each with all purchases in time order, and feeds
//	         the accumulators, one per metric family. Accumulators hold integers
//	         only, so any split and merge order gives the same result.
//	Tables   are read from the merged accumulators.
package transforms
