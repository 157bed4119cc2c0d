package offsite

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/user"
	"strconv"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/encrypt"

	"btw-backup/internal/s3cfg"
)

// access is what S3CMD_CONFIG says, as the native engine needs it.
type access struct {
	config    *s3cfg.Config
	endpoint  string
	pathStyle bool
	keys      *credentials.Credentials
	http      *transport
	sse       encrypt.ServerSide // nil: not asked for
	names     s3cfg.Names
}

// readAccess reads S3CMD_CONFIG.
func (n *native) readAccess() (*access, error) {
	config, err := s3cfg.Read(n.FS, n.S3cmdConfig, n.Getenv)
	if err != nil {
		return nil, err
	}
	endpoint, err := config.Endpoint(n.bucket)
	if err != nil {
		return nil, err
	}
	keys, err := config.Credentials(n.FS, n.Getenv, s3cfg.Metadata{})
	if err != nil {
		return nil, err
	}
	tls, err := config.TLS(n.FS)
	if err != nil {
		return nil, err
	}
	a := &access{config: config, endpoint: endpoint.Host, pathStyle: endpoint.PathStyle, keys: keys}
	a.http = newTransport(transportConfig{
		clock: n.Clock, timeout: n.S3Timeout, conns: 2 * n.S3Workers, limit: config.LimitRate, proxy: config.Proxy, tls: tls,
	})
	switch {
	case n.S3NoSSE:
	case config.KMSKey != "":
		if a.sse, err = encrypt.NewSSEKMS(config.KMSKey, nil); err != nil {
			return nil, fmt.Errorf("%s: kms_key: %w", n.S3cmdConfig, err)
		}
	default:
		a.sse = encrypt.NewSSE()
	}
	a.names = s3cfg.Names{
		User: remembering(func(id string) (string, error) {
			u, err := user.LookupId(id)
			if err != nil {
				return "", err
			}
			return u.Username, nil
		}),
		Group: remembering(func(id string) (string, error) {
			g, err := user.LookupGroupId(id)
			if err != nil {
				return "", err
			}
			return g.Name, nil
		}),
	}
	return a, nil
}

// remembering looks each number up once.
func remembering(lookup func(id string) (string, error)) func(uint32) (string, bool) {
	var mu sync.Mutex
	known := map[uint32]string{}
	return func(id uint32) (string, bool) {
		mu.Lock()
		defer mu.Unlock()
		name, ok := known[id]
		if !ok {
			name, _ = lookup(strconv.FormatUint(uint64(id), 10)) // none is as good as unknown
			known[id] = name
		}
		return name, name != ""
	}
}

// client makes a client that signs for a region.
func (a *access) client(region string) (*minio.Core, error) {
	lookup := minio.BucketLookupDNS
	if a.pathStyle {
		lookup = minio.BucketLookupPath
	}
	return minio.NewCore(a.endpoint, &minio.Options{
		Creds: a.keys, Secure: a.config.HTTPS, Transport: a.http, Region: region, BucketLookup: lookup, MaxRetries: 1,
	})
}

// request sends a request, again and again if need be, and says in its error
// what is to be mended.
func (n *native) request(ctx context.Context, what string, act func(ctx context.Context, c *minio.Core) error) error {
	gaveUp, err := n.patience.try(ctx, func(ctx context.Context) error {
		err := act(ctx, n.core())
		var response minio.ErrorResponse
		if errors.As(err, &response) && response.Region != "" && response.Code == "AuthorizationHeaderMalformed" && n.move(response.Region) {
			err = act(ctx, n.core())
		}
		return err
	})
	if err == nil || context.Cause(ctx) != nil {
		return err
	}
	return n.explain(what, gaveUp, err)
}

func (n *native) core() *minio.Core {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.client
}

// move goes to another region, that the server says the bucket is in, as s3cmd
// does: many installations name a wrong one. It does so once.
func (n *native) move(region string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.region != "" {
		return n.region == region
	}
	client, err := n.access.client(region)
	if err != nil {
		return false
	}
	n.region, n.client = region, client
	return true
}

// encrypted looks whether the server says that it encrypts what it was asked
// to, and warns once if it does not.
func (n *native) encrypted(a *answer) {
	if n.confirmed(a) {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.warned || n.Warn == nil {
		return
	}
	n.warned = true
	n.Warn(fmt.Sprintf("%s does not confirm that it encrypts what it is sent (server-side encryption): to do without, write S3_SSE = None in the general configuration", n.host()))
}

// confirmed tells whether an answer says that what was sent is encrypted, if
// that was asked for.
func (n *native) confirmed(a *answer) bool {
	return n.access.sse == nil || a.header == nil || a.header.Get("x-amz-server-side-encryption") != ""
}

// underKMS tells whether what an answer is about is encrypted with a key of
// the owner's: then an ETag is no MD5.
func underKMS(header http.Header) bool {
	return strings.HasPrefix(header.Get("x-amz-server-side-encryption"), "aws:kms")
}
