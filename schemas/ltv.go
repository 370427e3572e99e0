package schemas

// Columns that the tables of predicted value share.
var (
	fitSegmentColumn = Column{Name: "segment", Description: "Customers the fit is for: all, or the values of ltv.by at the first purchase, such as channel=search."}
	fitModelColumn   = Column{Name: "model", Description: "Model of purchases: bg_nbd, mbg_nbd, pareto_nbd or nbd; none where no fit is usable."}
	fittedOnColumn   = Column{Name: "fitted_on", Description: "Customers whose purchases the parameters come from: segment, all where the segment has too few repeaters of its own, none without a fit."}
	valueBasisColumn = Column{Name: "value_basis", Description: "What value means: margin when the cost of every purchase of every customer is known, net_revenue otherwise."}
)

// CustomerLTV is the customer_ltv table: made when the configuration has a section ltv.
var CustomerLTV = Table{
	Name:        "customer_ltv",
	Key:         []string{"customer_id"},
	Description: "What every customer is expected to buy within the configured horizon after the as-of instant, and how sure that is.",
	Columns: []Column{
		{Name: "customer_id", Description: "Published id, as in customers."},
		fitSegmentColumn, fitModelColumn, fittedOnColumn, valueBasisColumn,
		{Name: "frequency", Type: Int64, Unit: "days", Description: "Order-days after the first: x."},
		{Name: "recency", Type: Double, Unit: "weeks", Description: "Time from the first to the last order-day: t_x."},
		{Name: "age", Type: Double, Unit: "weeks", Description: "Time from the first order-day to the local date of the last instant before the as-of instant: T."},
		{Name: "probability_alive", Type: Double, Nullable: true, Unit: "probability", Description: "Probability that the customer has not been lost; null where the model takes it for certain (see note), which is no churn score."},
		{Name: "expected_orders", Type: Double, Nullable: true, Unit: "days", Description: "Expected order-days within the horizon."},
		{Name: "expected_orders_low", Type: Int64, Nullable: true, Unit: "days", Description: "Lower bound of the interval of the order-days within the horizon, of the customer and of the parameters."},
		{Name: "expected_orders_high", Type: Int64, Nullable: true, Unit: "days", Description: "Upper bound of that interval."},
		{Name: "probability_no_purchase", Type: Double, Nullable: true, Unit: "probability", Description: "Probability of no purchase within the horizon."},
		{Name: "expected_spend", Type: Double, Nullable: true, Unit: "reporting currency per order-day", Description: "Expected value of an order-day to come; null where the model of spend has no finite mean or no fit."},
		{Name: "predicted_ltv", Type: Double, Nullable: true, Unit: "reporting currency", Description: "Expected value of the purchases within the horizon, discounted to the as-of instant."},
		{Name: "predicted_ltv_low", Type: Double, Nullable: true, Unit: "reporting currency", Description: "Lower bound of the interval of that value, of the customer and of the parameters."},
		{Name: "predicted_ltv_high", Type: Double, Nullable: true, Unit: "reporting currency", Description: "Upper bound of that interval."},
		{Name: "historic_ltv", Type: Money, Unit: "reporting currency", Description: "Value of the purchases before the as-of instant."},
		{Name: "total_ltv", Type: Double, Nullable: true, Unit: "reporting currency", Description: "historic_ltv + predicted_ltv."},
		{Name: "percentile", Type: Double, Nullable: true, Unit: "percent", Description: "Share of the customers whose predicted_ltv is lower, plus half of those with an equal one; values that agree in their first three digits count as equal."},
		{Name: "tier", Nullable: true, Description: "top: percentile of 90 and above; high: of 70; middle: of 40; low: below."},
		{Name: "note", Nullable: true, Description: "Why a column is null: no_fit, no_spend_model, or never_lost_by_assumption (BG/NBD takes every customer without a repeat purchase for alive, NBD every customer)."},
	},
}

// CohortLTVForecast is the cohort_ltv_forecast table.
var CohortLTVForecast = Table{
	Name:        "cohort_ltv_forecast",
	Key:         []string{"grain", "cohort", "dimension", "segment", "age", "kind"},
	Description: "Continues cohort_ltv beyond the as-of instant: what each cohort has brought by then, and is expected to have brought by the end of each calendar period within the horizon.",
	Columns: []Column{
		grainColumn, cohortColumn, dimensionColumn, segmentColumn,
		{Name: "age", Type: Int64, Unit: "periods", Description: "Calendar periods since the cohort period; a period that the as-of instant falls in comes twice, observed so far and predicted to its end."},
		{Name: "kind", Description: "observed: up to the as-of instant; predicted: by the end of the period."},
		valueBasisColumn,
		{Name: "cohort_customers", Type: Int64, Unit: "customers", Description: "Customers of the cohort."},
		{Name: "cumulative_order_days", Type: Double, Nullable: true, Unit: "days", Description: "Order-days of the cohort, expected ones included; null where there is no fit."},
		{Name: "cumulative_value", Type: Double, Nullable: true, Unit: "reporting currency", Description: "Value of the purchases, expected ones included, not discounted; null where there is no fit."},
		{Name: "ltv", Type: Double, Nullable: true, Unit: "reporting currency per customer", Description: "cumulative_value / cohort_customers."},
		{Name: "ltv_low", Type: Double, Nullable: true, Unit: "reporting currency per customer", Description: "Lower bound of the interval of a predicted ltv, of the customers and of the parameters."},
		{Name: "ltv_high", Type: Double, Nullable: true, Unit: "reporting currency per customer", Description: "Upper bound of that interval."},
	},
}

// ModelFits is the model_fits table.
var ModelFits = Table{
	Name:        "model_fits",
	Key:         []string{"segment", "model"},
	Description: "Every model that was fitted, or why it was not, by segment; gamma_gamma is the model of spend.",
	Columns: append([]Column{
		fitSegmentColumn,
		{Name: "model", Description: "bg_nbd, mbg_nbd, pareto_nbd or nbd: models of purchases; gamma_gamma: the model of spend; sbg or bdw: models of contracts, see contract_retention."},
		{Name: "chosen", Type: Bool, Description: "Whether the predictions for the customers of the segment come from this fit."},
		{Name: "fitted_on", Description: "segment; all where the segment has too few repeaters and uses the fit of all customers; none without estimates."},
		{Name: "verdict", Description: "converged; ridge: predictions hold, parameters mean nothing by themselves; too_few, not_moved, stopped: not usable; pooled: see segment all."},
		{Name: "reason", Description: "The verdict in words."},
		{Name: "value_basis", Description: "What gamma_gamma counts: margin or net_revenue, see customer_ltv."},
		{Name: "customers", Type: Int64, Unit: "customers", Description: "Customers of the segment."},
		{Name: "repeaters", Type: Int64, Unit: "customers", Description: "Those of them with a repeat purchase; for gamma_gamma, of positive value; for sbg and bdw, those not lost."},
		{Name: "log_likelihood", Type: Double, Nullable: true, Description: "Log-likelihood at the estimates."},
		{Name: "aic", Type: Double, Nullable: true, Description: "Akaike's criterion; smaller is better."},
		{Name: "held_out_log_likelihood", Type: Double, Nullable: true, Description: "Log-likelihood of the purchases of the hold-out, given a fit to what was before it; the greatest is chosen by model auto."},
		{Name: "held_out_customers", Type: Int64, Nullable: true, Unit: "customers", Description: "Customers whose purchases in the hold-out were scored."},
	}, parameterColumns()...),
}

// ModelBacktests is the model_backtests table.
var ModelBacktests = Table{
	Name:        "model_backtests",
	Key:         []string{"segment", "model", "origin", "measure", "decile"},
	Description: "What the models would have foretold at earlier origins, and what came: held-out periods one before the other, the last one up to the as-of instant.",
	Columns: []Column{
		fitSegmentColumn,
		{Name: "model", Description: "bg_nbd, mbg_nbd, pareto_nbd or nbd."},
		{Name: "origin", Type: Date, Description: "First day held out; the models know what was before it."},
		{Name: "measure", Description: "orders: order-days; value: their value, see value_basis in customer_ltv."},
		{Name: "decile", Type: Int64, Description: "0: all customers; 1 to 10: tenths of them by prediction, from the lowest to the highest."},
		{Name: "fitted_on", Description: "Customers the fit at the origin is of: segment, or all where the segment has too few repeaters of its own."},
		{Name: "held_out_days", Type: Int64, Unit: "days", Description: "Length of the held-out period."},
		{Name: "sample_share", Type: Double, Unit: "share", Description: "Share of all customers that is compared: 1, or a fixed part of them where they are more than 50,000."},
		{Name: "customers", Type: Double, Unit: "customers", Description: "Customers compared, who had bought before the origin."},
		{Name: "predicted", Type: Double, Description: "Sum of the predictions, in order-days or reporting currency."},
		{Name: "actual", Type: Double, Description: "What came."},
		{Name: "mae", Type: Double, Nullable: true, Description: "Mean absolute error of a customer; null for deciles, like what follows."},
		{Name: "rmse", Type: Double, Nullable: true, Description: "Root of the mean squared error of a customer."},
		{Name: "bias", Type: Double, Nullable: true, Description: "Mean of predicted minus actual of a customer."},
		{Name: "gini", Type: Double, Nullable: true, Description: "How well the predictions rank the customers: 1 as well as can be, 0 no better than chance."},
		{Name: "interval_coverage", Type: Double, Nullable: true, Unit: "share", Description: "Share of the customers whose actual number or value is within the interval; counts are whole, so that it holds somewhat more than its probability."},
	},
}

// ContractRetention is the contract_retention table.
var ContractRetention = Table{
	Name:        "contract_retention",
	Key:         []string{"segment", "model", "renewal"},
	Description: "Customers as contracts, where ltv.contract names their length: who purchases in the next calendar period renews, the first one without a purchase is the loss; observed, and predicted by sBG and BdW.",
	Columns: []Column{
		fitSegmentColumn,
		{Name: "model", Description: "sbg: the probability of loss differs between customers; bdw: it changes with tenure, too."},
		{Name: "renewal", Type: Int64, Unit: "periods", Description: "Number of the renewal, from 1: into the period after the first one."},
		{Name: "kind", Description: "observed: some customers have come to this renewal; predicted: none yet."},
		{Name: "chosen", Type: Bool, Description: "Whether the model has the lesser AIC of the two."},
		{Name: "grain", Description: "Length of a contract: day, week, month, quarter or year."},
		{Name: "at_risk", Type: Int64, Unit: "customers", Description: "Customers who had renewed until then and for whom the period has ended."},
		{Name: "renewed", Type: Int64, Unit: "customers", Description: "Those of them who renewed."},
		{Name: "observed_retention_rate", Type: Double, Nullable: true, Unit: "share", Description: "renewed / at_risk."},
		{Name: "observed_survival", Type: Double, Nullable: true, Unit: "share", Description: "Product of the observed rates up to this renewal (Kaplan-Meier)."},
		{Name: "retention_rate", Type: Double, Nullable: true, Unit: "probability", Description: "Share of those before the renewal who renew, by the model; null without a usable fit."},
		{Name: "survival", Type: Double, Nullable: true, Unit: "probability", Description: "Share of all customers still there after the renewal, by the model."},
	},
}

// LTVParameters are the parameters of the models, by the columns of model_fits.
var LTVParameters = []string{"r", "alpha", "s", "beta", "a", "b", "p", "q", "v", "c"}

// parameterColumns are an estimate and its standard error for each parameter.
func parameterColumns() []Column {
	says := map[string]string{
		"r": "shape of the rate of purchase over customers", "alpha": "scale of that rate, in weeks; of sbg and bdw the first parameter of the probability of loss at a renewal", "s": "shape of the rate of loss over customers", "beta": "scale of that rate, in weeks; of sbg and bdw the second parameter of that probability",
		"a": "first parameter of the probability of loss after a purchase", "b": "second parameter of that probability",
		"p": "shape of the value of a purchase", "q": "shape of the value over customers", "v": "scale of the value over customers, in reporting currency",
		"c": "how the risk of loss changes with tenure, 1: not",
	}
	var list []Column
	for _, name := range LTVParameters {
		list = append(list,
			Column{Name: name, Type: Double, Nullable: true, Description: "Estimate: " + says[name] + "; null where the model has none."},
			Column{Name: name + "_se", Type: Double, Nullable: true, Description: "Standard error of " + name + "; null where the data do not determine it."})
	}
	return list
}

// LTVOutputs are the tables that a run makes only when the configuration has a section ltv.
func LTVOutputs() []Table {
	return []Table{CustomerLTV, CohortLTVForecast, ModelFits, ModelBacktests, ContractRetention}
}
