package offsite

import (
	"context"
	"fmt"
	"strings"

	"github.com/minio/minio-go/v7"
)

// remote is a listing as it comes in, in the order of keys, a few pages ahead
// of who reads it.
type remote struct {
	pages  chan page
	page   []object
	err    error
	last   string
	closed bool
	stop   context.CancelFunc
}

type page struct {
	objects []object
	err     error
}

// pageSize is how many objects a server lists at most in one answer.
const pageSize = 1000

// listRemote begins to list what begins with a key, relative to the store's
// prefix.
func (n *native) listRemote(ctx context.Context, begin string) *remote {
	ctx, stop := context.WithCancel(ctx)
	r := &remote{pages: make(chan page, 2), stop: stop}
	go func() {
		defer close(r.pages)
		after := ""
		for {
			var got []object
			var end bool
			var last string
			gaveUp, err := n.patience.try(ctx, func(ctx context.Context) error {
				var err error
				got, last, end, err = n.listPage(ctx, begin, after)
				return err
			})
			if err != nil {
				r.send(ctx, page{err: n.explain("listing "+n.uri(begin), gaveUp, err)})
				return
			}
			if !r.send(ctx, page{objects: got}) || end {
				return
			}
			after = last
		}
	}()
	return r
}

func (r *remote) send(ctx context.Context, p page) bool {
	select {
	case r.pages <- p:
		return true
	case <-ctx.Done():
		return false
	}
}

// listPage gets one answer: what follows the key after, as far as it goes.
func (n *native) listPage(ctx context.Context, begin, after string) (objects []object, last string, end bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	no := false
	options := minio.ListObjectsOptions{
		Prefix: n.prefix + begin, Recursive: true, StartAfter: after, MaxKeys: pageSize, FetchOwner: &no,
	}
	seen := 0
	objects = make([]object, 0, pageSize)
	for info := range n.client.ListObjectsIter(ctx, n.bucket, options) {
		if info.Err != nil {
			return nil, "", false, info.Err
		}
		// a/ is not a2/, whatever the server thinks of it.
		if !strings.HasPrefix(info.Key, n.prefix+begin) {
			return nil, "", false, fmt.Errorf("%q does not begin with %q, which was asked for", info.Key, n.prefix+begin)
		}
		last = info.Key
		// The marks by which a web console shows empty folders are nobody's files.
		if !strings.HasSuffix(info.Key, "/") {
			objects = append(objects, object{path: info.Key[len(n.prefix):], size: info.Size, md5: strings.ToLower(strings.Trim(info.ETag, `"`))})
		}
		if seen++; seen == pageSize { // before it asks for the next page by itself
			return objects, last, false, nil
		}
	}
	return objects, last, true, context.Cause(ctx)
}

// peek gives the next object without taking it; ok is false at the end.
func (r *remote) peek(ctx context.Context) (o *object, ok bool, err error) {
	for len(r.page) == 0 {
		if r.err != nil || r.closed {
			return nil, false, r.err
		}
		select {
		case p, more := <-r.pages:
			r.page, r.err, r.closed = p.objects, p.err, !more
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
	o = &r.page[0]
	if o.path <= r.last && r.last != "" {
		return nil, false, fmt.Errorf("the server lists %q after %q, which is not the order of S3: use S3_ENGINE = \"s3cmd\" with it", o.path, r.last)
	}
	return o, true, nil
}

// take takes what peek gave.
func (r *remote) take() object {
	o := r.page[0]
	r.last = o.path
	r.page = r.page[1:]
	return o
}
