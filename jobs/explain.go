package jobs

// Explained is what each cause has done.
type Explained struct{}
