package faultproxy

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Request is what a client asked for.
type Request struct {
	N      int // 1 for the first since the start, Forget or Heal
	Writes int // how many up to this one were to change something

	Method string
	Op     string   // as S3 names it: PutObject, ListObjectsV2
	Key    string   // of the object; the prefix that a listing asks for
	Keys   []string // those that DeleteObjects names
	Header http.Header

	// Status is the status of the answer; 0: there was none, or none yet.
	Status int
}

// String is "PutObject a/b".
func (r Request) String() string {
	return strings.Join(append([]string{r.Op, r.Key}, r.Keys...), " ")
}

// writes are the operations that change what a bucket shows.
var writes = []string{"PutObject", "CopyObject", "CompleteMultipartUpload", "DeleteObject", "DeleteObjects", "CreateBucket", "DeleteBucket"}

// IsWrite tells whether the request is to change what the bucket shows: an
// object more or less, or another one. A part of an upload does not.
func (r Request) IsWrite() bool { return slices.Contains(writes, r.Op) }

// read tells what a request asks for. The bucket stands in the path.
func read(r *http.Request) *Request {
	request := &Request{Method: r.Method, Header: r.Header.Clone()}
	path, query := strings.TrimPrefix(r.URL.Path, "/"), r.URL.Query()
	bucket, key, _ := strings.Cut(path, "/")
	request.Key = key
	switch {
	case bucket == "":
		request.Op = "ListBuckets"
	case key != "":
		request.Op = objectOp(r, query)
	default:
		request.Op = bucketOp(r.Method, query)
		request.Key = query.Get("prefix")
	}
	if request.Op == "DeleteObjects" {
		request.Keys = deleted(r)
	}
	return request
}

func objectOp(r *http.Request, query map[string][]string) string {
	_, uploads := query["uploads"]
	_, upload := query["uploadId"]
	copies := r.Header.Get("X-Amz-Copy-Source") != ""
	switch method := r.Method; {
	case method == http.MethodPost && uploads:
		return "CreateMultipartUpload"
	case method == http.MethodPost && upload:
		return "CompleteMultipartUpload"
	case method == http.MethodPut && upload && copies:
		return "UploadPartCopy"
	case method == http.MethodPut && upload:
		return "UploadPart"
	case method == http.MethodPut && copies:
		return "CopyObject"
	case method == http.MethodPut:
		return "PutObject"
	case method == http.MethodGet && upload:
		return "ListParts"
	case method == http.MethodGet:
		return "GetObject"
	case method == http.MethodHead:
		return "HeadObject"
	case method == http.MethodDelete && upload:
		return "AbortMultipartUpload"
	case method == http.MethodDelete:
		return "DeleteObject"
	}
	return r.Method
}

func bucketOp(method string, query map[string][]string) string {
	has := func(name string) bool { _, ok := query[name]; return ok }
	switch {
	case method == http.MethodPost && has("delete"):
		return "DeleteObjects"
	case method == http.MethodHead:
		return "HeadBucket"
	case method == http.MethodPut && len(query) == 0:
		return "CreateBucket"
	case method == http.MethodDelete && len(query) == 0:
		return "DeleteBucket"
	case method != http.MethodGet:
		return method
	case has("location"):
		return "GetBucketLocation"
	case has("uploads"):
		return "ListMultipartUploads"
	case has("versioning"):
		return "GetBucketVersioning"
	case has("versions"):
		return "ListObjectVersions"
	case slices.Equal(query["list-type"], []string{"2"}):
		return "ListObjectsV2"
	}
	return "ListObjects"
}

// deleted reads the keys that a batch delete names, and puts the body back.
func deleted(r *http.Request) []string {
	body, err := io.ReadAll(r.Body)
	var failed io.Reader = bytes.NewReader(nil)
	if err != nil {
		failed = broken{err}
	}
	r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), failed))
	var batch struct {
		Objects []struct{ Key string } `xml:"Object"`
	}
	if xml.Unmarshal(body, &batch) != nil {
		return nil
	}
	keys := make([]string, len(batch.Objects))
	for i, object := range batch.Objects {
		keys[i] = object.Key
	}
	return keys
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
