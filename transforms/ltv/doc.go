// Package ltv fits the published models of customer lifetime value and says what
// each customer will do next, how sure that is, and why a fit cannot be trusted.
//
// A shop sees purchases, never the moment a customer is lost. The models fill that
// gap with two habits that differ between customers: how often one buys while alive,
// and how one is lost. Each model is one file that reads like its paper:
//
//	bgnbd.go      BG/NBD        may be lost after each repeat purchase
//	mbgnbd.go     MBG/NBD       may be lost after each purchase, the first one included
//	paretonbd.go  Pareto/NBD    may be lost at any moment
//	nbd.go        NBD           never lost: where the others end when data show no loss
//	bgbb.go       BG/BB         buys or not at counted opportunities
//	sbg.go        sBG           contracts: renewed or not, survivors per period
//	bdw.go        BdW           contracts whose risk also changes with tenure
//	gammagamma.go Gamma-Gamma   what a purchase is worth
//
// The input is the RFM summary (rfm.go): x repeat purchases, the last of them t_x
// after the first purchase, observed for T. Time has one unit per summary, any one:
// parameters that are times, and every t asked for, are in it. Weeks and days give
// the same predictions.
//
// All models of purchases share one idea (living.go): a prediction is the probability
// that the customer is alive at T times what a living customer with that history does.
//
// A fit (fit.go) ends with a verdict and its reason (verdict.go): what cannot be fitted
// says so, in words, and is never a number that is none. Value is purchases times spend
// over a horizon, discounted (clv.go), with intervals of what a customer will do
// (interval.go, intervals.go).
//
// Everything is a pure function; nothing draws random numbers, so the same summary
// gives the same bytes.
package ltv
