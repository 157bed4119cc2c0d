package listing

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// list answers ListObjectsV2, and ListObjects, which s3cmd asks for. A
// continuation token is the last key of the page before.
func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	v2 := query.Get("list-type") == "2"
	after := query.Get("marker")
	if v2 {
		after = max(query.Get("start-after"), query.Get("continuation-token"))
	}
	limit := 1000
	if n, err := strconv.Atoi(query.Get("max-keys")); err == nil {
		limit = min(limit, n)
	}
	s.mu.Lock()
	s.pages++
	objects, more := s.page(query.Get("prefix"), after, limit)
	s.mu.Unlock()

	encode := escape
	if query.Get("encoding-type") == "url" {
		encode = url.QueryEscape
	}
	var b bytes.Buffer
	b.WriteString(`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	fmt.Fprintf(&b, "<Name>%s</Name><Prefix>%s</Prefix><MaxKeys>%d</MaxKeys><IsTruncated>%t</IsTruncated>",
		s.Bucket, encode(query.Get("prefix")), limit, more)
	if query.Get("encoding-type") == "url" {
		b.WriteString("<EncodingType>url</EncodingType>")
	}
	if more {
		last := objects[len(objects)-1].key
		if v2 {
			fmt.Fprintf(&b, "<NextContinuationToken>%s</NextContinuationToken>", escape(last))
		} else {
			fmt.Fprintf(&b, "<NextMarker>%s</NextMarker>", encode(last))
		}
	}
	if v2 {
		fmt.Fprintf(&b, "<KeyCount>%d</KeyCount>", len(objects))
	}
	for _, o := range objects {
		fmt.Fprintf(&b, "<Contents><Key>%s</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"+
			"<ETag>%s</ETag><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>",
			encode(o.key), escape(o.etag), o.size)
	}
	b.WriteString("</ListBucketResult>")
	write(w, b.String())
}

type object struct {
	key, etag string
	size      int
}

// page gives the objects whose keys begin with prefix and come after a key.
func (s *Server) page(prefix, after string, limit int) (objects []object, more bool) {
	wanted := func(key string) bool { return key > after && strings.HasPrefix(key, prefix) }
	for key, content := range s.sent {
		if wanted(key) {
			objects = append(objects, object{key, etag(content), len(content)})
		}
	}
	// The first one of the tree that may be wanted; those that are stand together.
	from := sort.Search(s.tree.Len(), func(i int) bool {
		key := s.prefix + s.tree.Path(i)
		return key > after && key >= prefix
	})
	for i := from; i < min(from+limit+1, s.tree.Len()); i++ {
		key := s.prefix + s.tree.Path(i)
		if !wanted(key) {
			break
		}
		objects = append(objects, object{key, `"` + s.md5 + `"`, s.tree.Size})
	}
	slices.SortFunc(objects, func(a, b object) int { return strings.Compare(a.key, b.key) })
	if len(objects) > limit {
		return objects[:limit], limit > 0
	}
	return objects, false
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder never fails
	return b.String()
}
