package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cohortline/cohortline/pipeline/store"
)

// DefaultLease is how long the lease of a run holds unless it is renewed. A run whose
// process has died on another machine keeps others away for at most this long.
const DefaultLease = 60 * time.Second

// ErrLocked says that another run works on the same date of the same output.
var ErrLocked = errors.New("another run holds the lock")

// ErrFenced says that a run has lost its lease to another one and cannot publish.
var ErrFenced = errors.New("the lease of this run has ended and another run has taken over")

// leaseRecord is the object that says who works on a publication, and until when.
type leaseRecord struct {
	Version    int       `json:"version"` // of this format: 1
	Number     int       `json:"number"`
	RunID      string    `json:"run_id"`
	Host       string    `json:"host"`
	Process    int       `json:"process"`
	AcquiredAt time.Time `json:"acquired_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	Released   bool      `json:"released"`
}

// lease is held by the run that works on a publication, and renewed in the background. It
// only keeps others from working in vain: what keeps a run that has lost its lease from
// publishing is that its number is taken (see commit).
type lease struct {
	s       store.Store
	name    string
	clock   func() time.Time
	length  time.Duration
	let     func() // of the store's hold
	stop    context.CancelFunc
	renewed sync.WaitGroup

	mu     sync.Mutex
	record leaseRecord
}

// takeLease takes the lease of a publication that nobody has had before, or fails with
// ErrLocked because another run was quicker.
func takeLease(ctx context.Context, s store.Store, partition string, number int, runID string, length time.Duration, clock func() time.Time) (*lease, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	now := clock().UTC()
	l := &lease{s: s, name: leaseName(partition, number), clock: clock, length: length,
		record: leaseRecord{1, number, runID, host, os.Getpid(), now, now.Add(length), false}}
	data, err := json.Marshal(l.record)
	if err != nil {
		return nil, err
	}
	// Held before the lease is there: whoever sees the lease must not think its holder dead.
	if l.let, err = s.Hold(ctx, heldName(partition, number)); err != nil {
		if held, seen := s.Holder(ctx, heldName(partition, number)); seen == nil && held == store.Somebody {
			return nil, fmt.Errorf("%s, %s: %w\nwait until it has ended", s.Path(""), partition, ErrLocked)
		}
		return nil, err
	}
	if err := s.PutNew(ctx, l.name, data); err != nil {
		if mine, seen := readLease(ctx, s, l.name); seen != nil || mine.RunID != runID || mine.Host != host || mine.Process != os.Getpid() || !mine.AcquiredAt.Equal(now) {
			l.let()
			if errors.Is(err, store.ErrExists) {
				return nil, lockedBy(s, partition, mine)
			}
			return nil, fmt.Errorf("the lock of %s cannot be taken: %w", partition, err)
		}
	}
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	l.stop = stop
	l.renewed.Go(func() { l.renew(renewing) })
	return l, nil
}

// renew prolongs the lease until it is released. A renewal that fails is tried again; that
// the lease may end meanwhile costs others nothing but waiting less.
func (l *lease) renew(ctx context.Context) {
	t := time.NewTicker(l.length / 4)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			l.mu.Lock()
			l.record.ExpiresAt = l.clock().UTC().Add(l.length)
			l.put(ctx)
			l.mu.Unlock()
		}
	}
}

// put writes the lease as it is now. Its failure is no failure of the run.
func (l *lease) put(ctx context.Context) {
	if data, err := json.Marshal(l.record); err == nil {
		_ = l.s.Put(ctx, l.name, data)
	}
}

// release ends the lease, whatever has become of the run. It is removed, so that the number
// is free again if it has no manifest; unless the manifest may be there without being seen:
// then the lease stays, ended, and the next run closes the number.
func (l *lease) release(unknown bool) {
	l.stop()
	l.renewed.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	l.let()
	if unknown || l.s.Remove(ctx, l.name) != nil {
		l.record.Released, l.record.ExpiresAt = true, l.clock().UTC()
		l.put(ctx)
	}
}

func readLease(ctx context.Context, s store.Store, name string) (leaseRecord, error) {
	var r leaseRecord
	data, err := store.Read(ctx, s, name)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, fmt.Errorf("%s is damaged: %w", s.Path(name), err)
	}
	return r, newer(s, name, r.Version)
}

// live says whether the holder of a lease may still be at work. Where the store knows that
// its process is gone, it is not.
func (r *leaseRecord) live(ctx context.Context, s store.Store, partition string, now time.Time) (bool, error) {
	if r.Released || !now.Before(r.ExpiresAt) {
		return false, nil
	}
	held, err := s.Holder(ctx, heldName(partition, r.Number))
	return held != store.Nobody, err
}

// lockedBy is the error of a run that meets a live lease.
func lockedBy(s store.Store, partition string, r leaseRecord) error {
	return fmt.Errorf("%s, %s: %w: run %s, process %d on %s, until %s unless it is renewed\nwait until it has ended; a run that was killed lets go by then",
		s.Path(""), partition, ErrLocked, r.RunID, r.Process, r.Host, r.ExpiresAt.Format(time.RFC3339))
}
