package bench_test

import (
	"fmt"
	"testing"
	"time"

	"btw-backup/internal/testkit/listing"
	"btw-backup/internal/testkit/s3server"
	"btw-backup/internal/testkit/slowlink"
)

// What the native engine must reach, as a ratio: how many times faster than
// the other it is.
const (
	firstVersityGW = 4
	firstMinIO     = 2.5
	firstSlow      = 12
	unchanged      = 3
	unchangedMany  = 8
	large          = 1.5
	largeRclone    = 1
)

// BenchmarkOffsite measures a full sync with the native engine, s3cmd and
// rclone side by side, and prints a table of it. The server, the clients and
// the proxy share the machine's cores.
//
// The ratio that counts is that to s3cmd as it is used without this program;
// the engine s3cmd has more to do than that.
func BenchmarkOffsite(b *testing.B) {
	board := &board{}
	defer board.print()
	small := tree(b, 2000, 4<<10)
	for _, kind := range s3server.Kinds {
		server := s3server.Start(b, kind)
		name, first := kind.String(), float64(firstVersityGW)
		if kind == s3server.MinIO {
			first = firstMinIO
		}
		b.Run("first/"+name, func(b *testing.B) {
			for b.Loop() {
				r := race{b: b, server: server, access: server.Access, root: small, files: 2000, fresh: true}
				r.run(native, s3cmd, engineS3cmd, rclone)
				board.add(r.row("2,000 × 4 KiB, first, "+name, want{s3cmd.name, first}))
			}
		})
		b.Run("unchanged/"+name, func(b *testing.B) {
			for b.Loop() {
				r := race{b: b, server: server, access: server.Access, root: small, files: 2000}
				r.run(native, s3cmd, engineS3cmd, rclone)
				board.add(r.row("2,000 × 4 KiB, unchanged, "+name, want{s3cmd.name, unchanged}))
			}
		})
		server.Stop()
	}
	b.Run("slow/versitygw", func(b *testing.B) {
		server := s3server.Start(b)
		for b.Loop() {
			far := server.At(slowlink.Start(b, server.Endpoint, 10*time.Millisecond))
			r := race{b: b, server: server, access: far, root: small, files: 2000, fresh: true}
			r.run(native, s3cmd, rclone)
			board.add(r.row("2,000 × 4 KiB, first, versitygw, 20 ms", want{s3cmd.name, firstSlow}))
		}
	})
	many := tree(b, 20000, 4<<10)
	for _, kind := range s3server.Kinds {
		b.Run("many/"+kind.String(), func(b *testing.B) {
			server := s3server.Start(b, kind)
			for b.Loop() {
				r := race{b: b, server: server, access: server.Access, root: many, files: 20000}
				r.run(native, s3cmd, engineS3cmd, rclone)
				board.add(r.row("20,000 × 4 KiB, unchanged, "+kind.String(), want{s3cmd.name, unchangedMany}))
			}
		})
	}
	b.Run("large", func(b *testing.B) {
		one := tree(b, 1, 512<<20)
		for _, kind := range s3server.Kinds {
			b.Run(kind.String(), func(b *testing.B) {
				server := s3server.Start(b, kind)
				for b.Loop() {
					r := race{b: b, server: server, access: server.Access, root: one, files: 1, fresh: true}
					r.run(native, s3cmd, engineS3cmd, rclone)
					board.add(r.row("1 × 512 MiB, "+kind.String(), want{s3cmd.name, large}, want{rclone.name, largeRclone}))
				}
			})
		}
	})
}

// maxOffsite is the memory that a sync may take, however many objects there are.
const maxOffsite = 128 << 20

// BenchmarkOffsiteMillion measures the memory of a full sync of 1,000,000
// objects: one that has to read every file, and one that remembers them.
func BenchmarkOffsiteMillion(b *testing.B) {
	files := listing.Tree{Dirs: 1000, Files: 1000, Size: 64}
	root := inMemory(b)
	start := time.Now()
	if err := files.Create(root); err != nil {
		b.Fatal(err)
	}
	b.Logf("made %d files in %s, in %s", files.Len(), root, time.Since(start).Round(time.Second))
	server := listing.Start(b, "million/", files)
	s := newOffsite(b, native, server.Access, root, "million")
	for _, name := range []string{"read", "remembered"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				start := time.Now()
				memory := s.sync(b)
				took := time.Since(start)
				b.ReportMetric(float64(memory)/(1<<20), "peak-MiB")
				b.ReportMetric(took.Seconds(), "s")
				fmt.Printf("1,000,000 objects, %s: %.1f s, %.1f MiB at most; required: %d MiB\n",
					name, took.Seconds(), float64(memory)/(1<<20), maxOffsite>>20)
				if memory > maxOffsite {
					b.Errorf("it took %d bytes of memory, more than %d", memory, maxOffsite)
				}
			}
			if server.Pages() < files.Len()/1000 || server.Refused() > 0 || len(server.Sent()) > 10 {
				b.Errorf("%d pages were listed, %d requests refused, %d objects sent: it did not find both sides equal",
					server.Pages(), server.Refused(), len(server.Sent()))
			}
		})
	}
}
