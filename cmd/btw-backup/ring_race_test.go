//go:build race

package main

// The race detector makes everything some times slower: a smaller sample does.
func init() { slowness = 10 }
