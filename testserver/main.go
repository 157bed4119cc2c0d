// Command testserver is a real S3 server for btw-backup's tests.
//
// # Concepts
//
// It is versitygw, a gateway that speaks S3 and checks signatures, with its
// posix backend: an object is a plain file below -dir, so that a test can
// look at what really arrived. It is a module of its own, since a gateway
// brings a hundred dependencies that the product has no use for.
//
// The test that starts it makes up the keys and hands them over in the
// environment, ACCESS_KEY and SECRET_KEY: nothing here is worth stealing, but
// an argument list can be read by everybody. When the server answers it
// prints one line on standard output,
//
//	endpoint 127.0.0.1:PORT
//
// and nothing else. It ends when its standard input is closed, so that it
// never outlives the test that started it, however that test ended; or on
// SIGTERM.
//
// HTTP keep-alive stays off: with it, versitygw 1.8.0 loses its place after a
// PUT without a body.
package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	dir := flag.String("dir", "", "where the buckets (DIR/buckets) and their metadata (DIR/meta) lie")
	bucket := flag.String("bucket", "", "a bucket to make")
	flag.Parse()
	if err := run(*dir, *bucket, os.Getenv("ACCESS_KEY"), os.Getenv("SECRET_KEY")); err != nil {
		fmt.Fprintln(os.Stderr, "testserver:", err)
		os.Exit(1)
	}
}

func run(dir, bucket, access, secret string) error {
	answers := os.Stdout
	os.Stdout = os.Stderr // the gateway has things to say, and standard output is the caller's
	switch {
	case dir == "" || bucket == "":
		return errors.New("usage: testserver -dir DIR -bucket BUCKET, with ACCESS_KEY and SECRET_KEY in the environment")
	case access == "" || secret == "":
		return errors.New("ACCESS_KEY and SECRET_KEY must be set in the environment")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()

	backend, err := open(ctx, dir, bucket, access)
	if err != nil {
		return err
	}
	return serve(ctx, answers, backend, access, secret)
}

// open makes the backend and the bucket. Metadata lies in extended attributes,
// as in any real use of the gateway, and in files of its own where the file
// system below a test has none: that takes it twice as long.
func open(ctx context.Context, dir, bucket, access string) (*posix.Posix, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	buckets, metadata := filepath.Join(dir, "buckets"), filepath.Join(dir, "meta")
	for _, d := range []string{buckets, metadata} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, err
		}
	}
	var store meta.MetadataStorer = meta.XattrMeta{}
	options := posix.PosixOpts{NewDirPerm: 0o700}
	if err := (meta.XattrMeta{}).Test(buckets); err != nil {
		if store, err = meta.NewSideCar(metadata); err != nil {
			return nil, err
		}
		options.SideCarDir = metadata
	}
	backend, err := posix.New(buckets, store, options)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(buckets, bucket)); err == nil {
		return backend, nil // a server started again on what an earlier one left
	}
	acl, err := json.Marshal(auth.ACL{Owner: access})
	if err != nil {
		return nil, err
	}
	err = backend.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket:                    &bucket,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{},
		ObjectOwnership:           types.ObjectOwnershipBucketOwnerEnforced,
	}, acl)
	if err != nil {
		return nil, fmt.Errorf("bucket %s: %w", bucket, err)
	}
	return backend, nil
}

// serve serves on a free port until ctx ends. The gateway opens its port by
// itself, so between our asking for a free one and its opening it somebody
// else may take it; then the next one is tried.
func serve(ctx context.Context, answers io.Writer, backend *posix.Posix, access, secret string) error {
	var err error
	for range 5 {
		var address string
		if address, err = freeAddress(); err != nil {
			return err
		}
		health := "/" + rand.Text()
		trying, stopTrying := context.WithCancel(ctx)
		go announce(trying, answers, address, health)
		err = embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
			RootUserAccess:    access,
			RootUserSecret:    secret,
			Ports:             []string{address},
			MaxConnections:    1024,
			MaxRequests:       512,
			MultipartMaxParts: 10000,
			Quiet:             true,
			DisableACLs:       true,
			HealthPath:        health,
		})
		stopTrying()
		if ctx.Err() != nil {
			return nil
		}
	}
	return err
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// announce prints the endpoint when it is this server that answers there:
// nobody else knows the path.
func announce(ctx context.Context, answers io.Writer, address, health string) {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+health, nil)
		if err != nil {
			return
		}
		if response, err := http.DefaultClient.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				_, _ = fmt.Fprintln(answers, "endpoint", address)
				return
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
