package ltv

// Spend is the mean value of the repeat purchases of one customer.
type Spend struct {
	Count int     // repeat purchases with a value
	Mean  float64 // of their values
}
