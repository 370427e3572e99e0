// Package diff compares two versions of a table cell by cell. Rows are matched by the key
// that the table declares, whatever their order, so that two results of a run, or the same
// one computed in two ways, can be held against each other.
package diff
