package run

import "fmt"

// Bytes shows a number of bytes to a person.
func Bytes(n int64) string {
	const unit = 1000
	if n < unit {
		return fmt.Sprintf("%d bytes", n)
	}
	size, prefix := float64(n)/unit, 0
	for size >= unit {
		size /= unit
		prefix++
	}
	return fmt.Sprintf("%.1f %cB", size, "kMGTPE"[prefix])
}
