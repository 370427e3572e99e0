//go:build !amd64

package source

// hasCutBlocks is false: every block is for scan.
const hasCutBlocks = false

func cutBlocks(*plainCut) {}
