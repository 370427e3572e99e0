package schemas

// Reject is one input row that did not conform: a row of the rejects table. It has
// one reason, that of the first column at fault in the canonical order of columns.
type Reject struct {
	Source string // name of the source
	File   string // path of the file as listed, without credentials
	Row    int64  // 1-based, the header not counted
	Table  string // canonical table the row was meant for
	Reason string // one of the Reason constants
	Column string // canonical column at fault; empty when the whole row is
	Value  string // the offending value, masked: letters x, digits 9, at most 64 characters
	Raw    string // the row as it was found, masked the same way, at most 256 characters; empty where not at hand
}

// Reasons for which a row is rejected.
const (
	ReasonRagged          = "ragged_row"          // more or fewer fields than the header
	ReasonInvalidUTF8     = "invalid_utf8"        // bytes that are no text in the file's encoding
	ReasonFieldTooLong    = "field_too_long"      // a field beyond the limit
	ReasonInvalidJSON     = "invalid_json"        // a line that is no JSON object
	ReasonValueMissing    = "value_missing"       // a required column is empty
	ReasonInvalidTime     = "invalid_timestamp"   // not a timestamp of the declared form, or not a date
	ReasonInvalidAmount   = "invalid_amount"      // not a number of the declared form
	ReasonAmountRange     = "amount_out_of_range" // more than 14 digits before or 4 after the decimal mark
	ReasonAmountNegative  = "amount_negative"     // an amount below zero
	ReasonInvalidCurrency = "invalid_currency"    // not three letters
	ReasonStatusUnknown   = "status_unknown"      // a status neither canonical nor mapped
	ReasonInvalidBool     = "invalid_boolean"     // neither true nor false
	ReasonFXRateMissing   = "fx_rate_missing"     // no rate at most 7 days old
	ReasonExpression      = "expression_failed"   // a derived column could not be computed
	ReasonIDTooLong       = "id_too_long"         // an id or e-mail of more than 4,096 bytes
)

// Rate is one row of the fx table: Mantissa × 10^-Scale units of reporting currency
// per unit of Currency on Day.
type Rate struct {
	Day      int32
	Currency string
	Mantissa int64 // > 0
	Scale    uint8 // at most 18
}
