package ltv

// Model is a fitted model of purchases in continuous time. Everything it predicts is
// made of two things: whether the customer is alive at the end of observation, and
// what a living customer with that history does from then on.
type Model interface {
	// Alive is the probability that the customer has not been lost by T.
	Alive(c RFM) float64
	// Living is what is known of a customer alive at age T after x repeat purchases.
	// (When these were does not matter for a living one.)
	Living(frequency int, age float64) Living
}

// Living is a customer known to be alive now; t is time from now, in the unit of the
// summary that the model was fitted to.
type Living interface {
	// Within is the probability to be still alive at t, and the expected number of
	// purchases until then.
	Within(t float64) (alive, purchases float64)
	// Count is the probability of exactly n purchases within t.
	Count(n int, t float64) float64
	// AtLeast is the probability of n purchases or more within t.
	AtLeast(n int, t float64) float64
	// Discounted is the expected number of purchases without a horizon, each worth
	// e^(−rate·its time): the present value (DERT) per unit of spend. The rate is per unit
	// of time and positive; +Inf when it is not and the sum has no bound.
	Discounted(rate float64) float64
	// Quiet is the same customer, known to be alive at t later without having bought.
	Quiet(t float64) Living
}

// Alive is the probability that a customer is alive at T + t.
func Alive(m Model, c RFM, t float64) float64 {
	alive, _ := m.Living(c.Frequency, c.Age).Within(t)
	return m.Alive(c) * alive
}

// Expected is the expected number of purchases in (T, T + t].
func Expected(m Model, c RFM, t float64) float64 {
	_, purchases := m.Living(c.Frequency, c.Age).Within(t)
	return m.Alive(c) * purchases
}

// Count is the probability of exactly n purchases in (T, T + t]; of a new customer
// (the zero RFM) of n repeat purchases in the first t.
func Count(m Model, c RFM, n int, t float64) float64 {
	alive := m.Alive(c)
	p := alive * m.Living(c.Frequency, c.Age).Count(n, t)
	if n == 0 {
		p += 1 - alive
	}
	return p
}

// NoPurchase is the probability of no purchase in (T, T + t].
func NoPurchase(m Model, c RFM, t float64) float64 { return Count(m, c, 0, t) }

// Discounted is the discounted expected number of purchases after T without a horizon
// (DERT) at a continuous rate per unit of time; DiscountRate makes one from a discount per year.
func Discounted(m Model, c RFM, rate float64) float64 {
	return m.Alive(c) * m.Living(c.Frequency, c.Age).Discounted(rate)
}

// Prediction is what Predict says of one row.
type Prediction struct {
	Alive      float64 // P(alive at T)
	AliveLater float64 // P(alive at T + t)
	Expected   float64 // expected purchases in (T, T + t]
	NoPurchase float64 // P(no purchase in (T, T + t])
}

// Predict makes the predictions for every row of a summary, in its order. What a
// living customer does is computed once per distinct frequency and age.
func Predict(m Model, s *Summary, t float64) []Prediction {
	list := make([]Prediction, len(s.rows))
	aliveNow := aliveRows(m, s)
	var young, living Living // at age 0, at the age of the row
	var alive, expected, none float64
	for i, r := range s.rows {
		if i == 0 || r.Frequency != s.rows[i-1].Frequency {
			young = m.Living(r.Frequency, 0)
		}
		if i == 0 || r.Frequency != s.rows[i-1].Frequency || r.Age != s.rows[i-1].Age {
			living = young.Quiet(r.Age)
			alive, expected = living.Within(t)
			none = living.Count(0, t)
		}
		p := aliveNow[i]
		list[i] = Prediction{p, p * alive, p * expected, 1 - p + p*none}
	}
	return list
}

// aliveRows is P(alive at T) of every row.
func aliveRows(m Model, s *Summary) []float64 {
	if by, ok := m.(interface{ aliveRows(*Summary) []float64 }); ok {
		return by.aliveRows(s)
	}
	list := make([]float64, len(s.rows))
	for i, r := range s.rows {
		list[i] = m.Alive(r.RFM)
	}
	return list
}
