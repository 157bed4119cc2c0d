package starlib

import (
	"fmt"

	"go.starlark.net/starlark"
)

// An Object is a Go value in the hands of Starlark code: a type name, some
// attributes to look at, and the value itself, which only builtins see. It
// cannot be changed, and equals nothing but itself.
type Object struct {
	typ   string
	attrs starlark.StringDict
	value any
}

var _ starlark.HasAttrs = (*Object)(nil)

// NewObject returns an Object. If value is a [fmt.Stringer], the object shows
// itself with its text, as <backup etc/2026-01-31>.
func NewObject(typeName string, attrs starlark.StringDict, value any) *Object {
	o := &Object{typ: typeName, attrs: make(starlark.StringDict, len(attrs)), value: value}
	for name, v := range attrs {
		v.Freeze()
		o.attrs[name] = v
	}
	return o
}

// As returns the Go value of an Object if v is one and its value is a T.
func As[T any](v starlark.Value) (T, bool) {
	if o, ok := v.(*Object); ok {
		t, ok := o.value.(T)
		return t, ok
	}
	var zero T
	return zero, false
}

// Unwrap returns the Go value.
func (o *Object) Unwrap() any { return o.value }

// String returns the type name and the text of the value in angle brackets.
func (o *Object) String() string {
	if s, ok := o.value.(fmt.Stringer); ok {
		return "<" + o.typ + " " + s.String() + ">"
	}
	return "<" + o.typ + ">"
}

// Type returns the name that NewObject was given.
func (o *Object) Type() string { return o.typ }

// Freeze does nothing: an Object cannot be changed.
func (o *Object) Freeze() {}

// Truth returns True, so that “if previous:” tells an object from None.
func (o *Object) Truth() starlark.Bool { return starlark.True }

// Hash returns an error: an Object is no key.
func (o *Object) Hash() (uint32, error) { return 0, fmt.Errorf("unhashable type: %s", o.typ) }

// Attr returns an attribute. For a name that is not there the interpreter has a
// message of its own, with the attribute that was probably meant.
func (o *Object) Attr(name string) (starlark.Value, error) { return o.attrs[name], nil }

// AttrNames returns the names of the attributes, sorted.
func (o *Object) AttrNames() []string { return o.attrs.Keys() }
