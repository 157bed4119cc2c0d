package faultproxy

import "slices"

// Match tells which requests a rule is about.
type Match func(Request) bool

// Always is every request.
func Always(Request) bool { return true }

// All is the requests that every one of these matches is about.
func All(matches ...Match) Match {
	return func(r Request) bool {
		return !slices.ContainsFunc(matches, func(m Match) bool { return !m(r) })
	}
}

// Every is every nth request.
func Every(n int) Match { return func(r Request) bool { return r.N%n == 0 } }

// First is the first n requests.
func First(n int) Match { return func(r Request) bool { return r.N <= n } }

// After is all requests but the first n.
func After(n int) Match { return func(r Request) bool { return r.N > n } }

// AfterWrites is all requests from the one on that would be the write after
// the first n; see [Request.IsWrite].
func AfterWrites(n int) Match {
	return func(r Request) bool { return r.Writes > n }
}

// Op is the requests of these names: PutObject, UploadPart, DeleteObjects.
func Op(ops ...string) Match {
	return func(r Request) bool { return slices.Contains(ops, r.Op) }
}

// Write is the requests that are to change what the bucket shows.
func Write(r Request) bool { return r.IsWrite() }

// Key is the requests about one of these keys, a batch that names one too.
func Key(keys ...string) Match {
	return func(r Request) bool {
		return slices.Contains(keys, r.Key) ||
			slices.ContainsFunc(r.Keys, func(key string) bool { return slices.Contains(keys, key) })
	}
}

// Times is the first n requests that match: a fault that passes.
func Times(n int, match Match) Match {
	return func(r Request) bool { // called with the proxy's lock held
		if n == 0 || !match(r) {
			return false
		}
		n--
		return true
	}
}
