package pipeline

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cockroachdb/apd/v3"
	"github.com/cohortline/cohortline/schemas"
	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
)

// expression is a compiled formula over the columns of a file. Columns are text; what
// is computed with + - * / or compared with < > is taken as an exact decimal.
type expression struct {
	text    string
	program *vm.Program
	machine vm.VM
	columns []string // the columns it looks at
}

// decimals computes with 40 digits: more than any product of two amounts has.
var decimals = apd.BaseContext.WithPrecision(40)

func newDecimal(s string) (*apd.Decimal, error) {
	d, cond, err := apd.NewFromString(strings.TrimSpace(s))
	if err != nil || cond.Any() || d.Form != apd.Finite {
		return nil, &operandError{s}
	}
	return d, nil
}

// operandError is a text that was to be computed with and is no number.
type operandError struct{ value string }

func (e *operandError) Error() string { return fmt.Sprintf("%q is not a number", e.value) }

// compile prepares an expression over the given columns; those that are no identifiers
// are reached by row("Invoice No").
func compile(text string, columns []string) (*expression, error) {
	e := &expression{text: text}
	env := map[string]any{}
	for _, c := range columns {
		env[c] = ""
	}
	options := []expr.Option{expr.Env(env), expr.DisableAllBuiltins(), expr.EnableBuiltin("lower"), expr.EnableBuiltin("upper"), expr.EnableBuiltin("trim"), expr.EnableBuiltin("len")}
	// The bodies never run: they only declare the types of the operands.
	d, b := new(apd.Decimal), false
	arithmetic := []any{
		func(x, y string) *apd.Decimal { return d }, func(x string, y int) *apd.Decimal { return d }, func(x int, y string) *apd.Decimal { return d },
		func(x string, y float64) *apd.Decimal { return d }, func(x float64, y string) *apd.Decimal { return d },
		func(x *apd.Decimal, y string) *apd.Decimal { return d }, func(x string, y *apd.Decimal) *apd.Decimal { return d },
		func(x *apd.Decimal, y int) *apd.Decimal { return d }, func(x int, y *apd.Decimal) *apd.Decimal { return d },
		func(x *apd.Decimal, y float64) *apd.Decimal { return d }, func(x float64, y *apd.Decimal) *apd.Decimal { return d },
		func(x, y *apd.Decimal) *apd.Decimal { return d },
		func(x, y int) *apd.Decimal { return d }, func(x, y float64) *apd.Decimal { return d }, // constants are exact, too
		func(x int, y float64) *apd.Decimal { return d }, func(x float64, y int) *apd.Decimal { return d },
	}
	comparing := []any{
		func(x, y string) bool { return b }, func(x string, y int) bool { return b }, func(x int, y string) bool { return b },
		func(x string, y float64) bool { return b }, func(x float64, y string) bool { return b },
		func(x *apd.Decimal, y string) bool { return b }, func(x string, y *apd.Decimal) bool { return b },
		func(x *apd.Decimal, y int) bool { return b }, func(x int, y *apd.Decimal) bool { return b },
		func(x *apd.Decimal, y float64) bool { return b }, func(x float64, y *apd.Decimal) bool { return b },
		func(x, y *apd.Decimal) bool { return b },
	}
	for op, name := range map[string]string{"+": "add", "-": "subtract", "*": "multiply", "/": "divide"} {
		options = append(options, expr.Function(name, binary(func(x, y *apd.Decimal) (any, error) {
			r := new(apd.Decimal)
			var err error
			switch op {
			case "+":
				_, err = decimals.Add(r, x, y)
			case "-":
				_, err = decimals.Sub(r, x, y)
			case "*":
				_, err = decimals.Mul(r, x, y)
			case "/":
				if _, err = decimals.Quo(r, x, y); err == nil {
					r.Reduce(r) // without trailing zeros
				}
			}
			return r, err
		}), arithmetic...), expr.Operator(op, name))
	}
	for op, name := range map[string]string{"<": "less", ">": "greater", "<=": "at_most", ">=": "at_least"} {
		options = append(options, expr.Function(name, binary(func(x, y *apd.Decimal) (any, error) {
			c := x.Cmp(y)
			switch op {
			case "<":
				return c < 0, nil
			case ">":
				return c > 0, nil
			case "<=":
				return c <= 0, nil
			default:
				return c >= 0, nil
			}
		}), comparing...), expr.Operator(op, name))
	}
	rewritten, err := rowCalls(text, env)
	if err != nil {
		return nil, err
	}
	program, err := expr.Compile(rewritten, options...)
	if err != nil {
		return nil, fmt.Errorf("expression %q: %s", text, strings.SplitN(err.Error(), "\n", 2)[0])
	}
	for _, c := range columns {
		if strings.Contains(rewritten, c) {
			e.columns = append(e.columns, c)
		}
	}
	e.program = program
	return e, nil
}

// rowCalls replaces row("Invoice No") by $env["Invoice No"].
func rowCalls(text string, env map[string]any) (string, error) {
	var b strings.Builder
	for {
		i := strings.Index(text, `row("`)
		if i < 0 {
			return b.String() + text, nil
		}
		j := strings.Index(text[i:], `")`)
		if j < 0 {
			return "", fmt.Errorf("expression: row(\" without its end")
		}
		name := text[i+5 : i+j]
		if _, ok := env[name]; !ok {
			return "", fmt.Errorf("expression: the file has no column %q", name)
		}
		b.WriteString(text[:i])
		b.WriteString(`$env["` + name + `"]`)
		text = text[i+j+2:]
	}
}

// binary makes a function of two decimals one of whatever an expression holds.
func binary(f func(x, y *apd.Decimal) (any, error)) func(...any) (any, error) {
	return func(p ...any) (any, error) {
		x, err := operand(p[0])
		if err != nil {
			return nil, err
		}
		y, err := operand(p[1])
		if err != nil {
			return nil, err
		}
		return f(x, y)
	}
}

func operand(v any) (*apd.Decimal, error) {
	switch v := v.(type) {
	case *apd.Decimal:
		return v, nil
	case string:
		return newDecimal(v)
	case int:
		return apd.New(int64(v), 0), nil
	case float64:
		return newDecimal(strconv.FormatFloat(v, 'f', -1, 64))
	}
	return nil, fmt.Errorf("%v is not a number", v)
}

// eval computes the expression for one row. The text of its error is the value at fault,
// which the rejects show masked; it is empty where no single value is.
func (e *expression) eval(env map[string]any) (any, error) {
	v, err := e.machine.Run(e.program, env)
	if err == nil {
		return v, nil
	}
	var operand *operandError
	if errors.As(err, &operand) {
		return nil, errors.New(operand.value)
	}
	return nil, errors.New("")
}

// decimalAmount is a decimal as ten-thousandths, rounded half-even.
func decimalAmount(d *apd.Decimal) (int64, string) {
	c := apd.BaseContext.WithPrecision(40)
	c.Rounding = apd.RoundHalfEven
	r := new(apd.Decimal)
	if _, err := c.Quantize(r, d, -schemas.Scale); err != nil {
		return 0, schemas.ReasonAmountRange
	}
	if !r.Coeff.IsInt64() || r.Coeff.Int64() > schemas.MaxAmount {
		return 0, schemas.ReasonAmountRange
	}
	v := r.Coeff.Int64()
	if r.Negative {
		v = -v
	}
	return v, ""
}
