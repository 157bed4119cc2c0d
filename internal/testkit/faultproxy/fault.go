package faultproxy

import (
	"encoding/xml"
	"io"
	"net/http"
	"time"
)

// Fault is what becomes of a request: next is what would have.
type Fault func(next http.Handler) http.Handler

// The answers that a server in trouble gives, in S3's and MinIO's words.
var (
	Unavailable   = Reply(http.StatusServiceUnavailable, "ServiceUnavailable", "Service is unable to handle request.")
	SlowDown      = Reply(http.StatusServiceUnavailable, "SlowDown", "Please reduce your request rate.")
	TooMany       = Reply(http.StatusTooManyRequests, "TooManyRequests", "Please reduce your request rate.")
	InternalError = Reply(http.StatusInternalServerError, "InternalError", "We encountered an internal error, please try again.")
	Full          = Reply(http.StatusInsufficientStorage, "XMinioStorageFull", "Storage backend has reached its minimum free drive threshold. Please delete a few objects to proceed.")
	Skewed        = Reply(http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the server's time is too large.")
	Denied        = Reply(http.StatusForbidden, "AccessDenied", "Access Denied.")
	NoEncryption  = Reply(http.StatusNotImplemented, "NotImplemented", "Server side encryption specified but KMS is not configured")
)

// Reply answers in the server's place, after the request's body was read.
func Reply(status int, code, message string) Fault {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(status)
			if r.Method == http.MethodHead {
				return
			}
			_, _ = io.WriteString(w, xml.Header)
			_ = xml.NewEncoder(w).Encode(struct {
				XMLName                            xml.Name `xml:"Error"`
				Code, Message, Resource, RequestId string
			}{Code: code, Message: message, Resource: r.URL.Path, RequestId: "4711"})
		})
	}
}

// Cut cuts the connection without an answer. The server hears nothing.
func Cut(http.Handler) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	})
}

// LoseAnswer has the server do what is asked and cuts the connection then.
func LoseAnswer(next http.Handler) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&lost{header: http.Header{}}, r)
		panic(http.ErrAbortHandler)
	})
}

// CutBody cuts the connections after so many bytes of a request's body.
func CutBody(after int64) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(io.LimitReader(r.Body, after), broken{io.ErrUnexpectedEOF}), r.Body}
			next.ServeHTTP(w, r)
		})
	}
}

// Hang gives no answer, until the client or the test has enough.
func Hang(http.Handler) http.Handler {
	return http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
}

// Delay lets a request wait.
func Delay(d time.Duration) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(d):
				next.ServeHTTP(w, r)
			case <-r.Context().Done():
				panic(http.ErrAbortHandler)
			}
		})
	}
}

// Slow reads bodies at so many bytes a second.
func Slow(rate int) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = &slow{ReadCloser: r.Body, rate: rate}
			next.ServeHTTP(w, r)
		})
	}
}

// WrongETag has the server do what is asked, and answers with an MD5 that is
// not the content's.
var WrongETag = EditHeader(func(h http.Header) { h.Set("ETag", `"0123456789abcdef0123456789abcdef"`) })

// NoETag leaves the ETag out of the answer.
var NoETag = EditHeader(func(h http.Header) { h.Del("ETag") })

// Unconfirmed leaves the word on encryption out of the answer.
var Unconfirmed = EditHeader(func(h http.Header) { h.Del("X-Amz-Server-Side-Encryption") })

// EditHeader changes the header of an answer that tells of success.
func EditHeader(edit func(http.Header)) Fault {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			a := &answer{ResponseWriter: w, before: func(status int, header http.Header) {
				if status < 300 {
					edit(header)
				}
			}}
			next.ServeHTTP(a, r)
			a.end()
		})
	}
}

// answer calls before when the header is about to be sent.
type answer struct {
	http.ResponseWriter
	before func(status int, header http.Header)
	began  bool
}

func (a *answer) WriteHeader(status int) {
	if !a.began && status >= 200 {
		a.began = true
		a.before(status, a.Header())
	}
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	if !a.began {
		a.WriteHeader(http.StatusOK)
	}
	return a.ResponseWriter.Write(p)
}

// end answers 200 where nothing was said at all, as net/http does.
func (a *answer) end() {
	if !a.began {
		a.WriteHeader(http.StatusOK)
	}
}

// Unwrap is for [http.ResponseController].
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// lost is an answer that nobody gets.
type lost struct{ header http.Header }

func (l *lost) Header() http.Header         { return l.header }
func (l *lost) WriteHeader(int)             {}
func (l *lost) Write(p []byte) (int, error) { return len(p), nil }

// slow is a body that comes slowly.
type slow struct {
	io.ReadCloser
	rate int
}

func (s *slow) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p[:min(len(p), max(1, s.rate/20))])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(s.rate))
	return n, err
}
