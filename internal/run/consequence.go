package run

import "errors"

// Consequence adds to an error what it means for whoever called, unless it says
// so already. A refusal needs none: nothing was done.
func Consequence(err error, what string) error {
	if err == nil || errors.As(err, new(*consequential)) {
		return err
	}
	return &consequential{err, what}
}

type consequential struct {
	error
	what string
}

func (e *consequential) Unwrap() error { return e.error }

// Consequence tells what the error means.
func (e *consequential) Consequence() string { return e.what }
