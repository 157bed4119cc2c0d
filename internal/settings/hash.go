package settings

import (
	"encoding/base64"
	"encoding/binary"
	"math/bits"
)

// Hash is what stands behind the dot in a working directory's name:
// MurmurHash3 (x86, 32 bits, seed 0) of the source path, the most significant
// byte first, leading zero bytes left out, in URL-safe base64 unpadded.
func Hash(path string) string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], murmur3([]byte(path)))
	rest := b[:]
	for len(rest) > 0 && rest[0] == 0 {
		rest = rest[1:]
	}
	return base64.RawURLEncoding.EncodeToString(rest)
}

// murmur3 is Austin Appleby's MurmurHash3_x86_32 with the seed 0.
func murmur3(data []byte) uint32 {
	scramble := func(k uint32) uint32 {
		return bits.RotateLeft32(k*0xcc9e2d51, 15) * 0x1b873593
	}
	var h uint32
	rest := data
	for ; len(rest) >= 4; rest = rest[4:] {
		h ^= scramble(binary.LittleEndian.Uint32(rest))
		h = bits.RotateLeft32(h, 13)*5 + 0xe6546b64
	}
	if len(rest) > 0 {
		var last [4]byte
		copy(last[:], rest)
		h ^= scramble(binary.LittleEndian.Uint32(last[:]))
	}
	h ^= uint32(len(data)) //nolint:gosec // paths are shorter
	h = (h ^ h>>16) * 0x85ebca6b
	h = (h ^ h>>13) * 0xc2b2ae35
	return h ^ h>>16
}
