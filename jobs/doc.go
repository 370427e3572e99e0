// Package jobs says what runs and in which order. cohorts.go is the page to read
// first: it lists the stages of the one job, from files to published tables. The
// configuration is read here too, strictly, with line and column of every mistake.
package jobs
