package jobs

import (
	"context"
	"errors"
	"slices"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/pipeline/store"
)

// PublishedFit is what the table customer_ltv says of the fit behind a customer's forecast.
type PublishedFit struct {
	Model   string
	Segment string          // whose purchases the parameters come from; empty: those of all customers
	Basis   string          // of the value: net_revenue or margin
	peers   map[string]bool // the customers of the segment; nil: all
}

// FindPublishedFit looks a customer up in customer_ltv; asOf names the partition, empty the
// latest of customers. It is nil where the table was not made, or has no fit for the customer.
func FindPublishedFit(ctx context.Context, output store.Store, asOf, id string) (*PublishedFit, error) {
	_, date, err := pipeline.TablePath(ctx, output, "customers", asOf)
	if err != nil {
		return nil, err
	}
	path, _, err := pipeline.TablePath(ctx, output, "customer_ltv", date)
	if errors.Is(err, source.ErrMissing) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var p *PublishedFit
	var segment string
	names := []string{"customer_id", "segment", "model", "fitted_on", "value_basis"}
	err = pipeline.ReadColumns(ctx, path, byName(path, names...), func(l *pipeline.Line) error {
		if found, _ := l.Text(0); found != id {
			return nil
		}
		model, _ := l.Text(2)
		if model == "none" {
			return nil
		}
		p = &PublishedFit{Model: model}
		p.Basis, _ = l.Text(4)
		if on, _ := l.Text(3); on == "segment" {
			segment, _ = l.Text(1)
		}
		return nil
	})
	if err != nil || p == nil || segment == "" || segment == "all" {
		return p, err
	}
	p.Segment, p.peers = segment, map[string]bool{}
	return p, pipeline.ReadColumns(ctx, path, byName(path, names[:2]...), func(l *pipeline.Line) error {
		if s, _ := l.Text(1); s == segment {
			peer, _ := l.Text(0)
			p.peers[peer] = true
		}
		return nil
	})
}

// Of leaves the customers of the published fit, in their order.
func (p *PublishedFit) Of(s *Summaries) {
	if p.peers == nil {
		return
	}
	keep := 0
	for i, id := range s.IDs {
		if p.peers[id] {
			s.IDs[keep], s.RFM[keep] = id, s.RFM[i]
			if s.Spend != nil {
				s.Spend[keep] = s.Spend[i]
			}
			keep++
		}
	}
	s.IDs, s.RFM = s.IDs[:keep], s.RFM[:keep]
	if s.Spend != nil {
		s.Spend = slices.Clip(s.Spend[:keep])
	}
}
