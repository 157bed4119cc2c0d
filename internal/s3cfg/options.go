package s3cfg

import "slices"

// The options of s3cmd 2.3, each once.

// kind tells how s3cmd reads a value.
type kind int

const (
	text    kind = iota
	host         // a text that may begin with http:// or https://
	boolean      // true, yes, on or 1, and false, no, off or 0, in any case
	integer      //
	rate         // bytes a second, with k or m behind it
	perhaps      // a boolean that may also be nothing, or anything
	header       // a text; s3cmd takes neither white space nor $ away
)

// used holds the options that a [Config] is made from, with s3cmd's defaults.
var used = map[string]struct {
	kind  kind
	value string
}{
	"access_key":              {text, ""},
	"access_token":            {text, ""},
	"bucket_location":         {text, "US"},
	"ca_certs_file":           {text, ""},
	"check_ssl_certificate":   {boolean, "True"},
	"check_ssl_hostname":      {boolean, "True"},
	"default_mime_type":       {text, "binary/octet-stream"},
	"enable_multipart":        {boolean, "True"},
	"guess_mime_type":         {boolean, "True"},
	"host_base":               {host, "s3.amazonaws.com"},
	"host_bucket":             {host, "%(bucket)s.s3.amazonaws.com"},
	"kms_key":                 {text, ""},
	"limitrate":               {rate, "0"},
	"mime_type":               {text, ""},
	"multipart_chunk_size_mb": {integer, "15"},
	"multipart_max_chunks":    {integer, "10000"},
	"preserve_attrs":          {boolean, "True"},
	"proxy_host":              {text, ""},
	"proxy_port":              {integer, "3128"},
	"reduced_redundancy":      {boolean, "False"},
	"secret_key":              {text, ""},
	"server_side_encryption":  {boolean, "False"},
	"socket_timeout":          {integer, "300"},
	"ssl_client_cert_file":    {text, ""},
	"ssl_client_key_file":     {text, ""},
	"storage_class":           {text, ""},
	"use_https":               {boolean, "True"},
}

// refused holds the options that may have one value only: the default.
var refused = map[string]struct {
	kind  kind
	value string
	why   string // and what to do; it follows "NAME = VALUE: "
}{
	"acl_public": {
		perhaps, "None",
		"everybody could read the backups: take the line out; who is to have access is better said by a policy of the bucket",
	},
	"add_headers": {
		header, "",
		"these headers would not be sent: take the line out (a storage class has an option of its own, storage_class)",
	},
	"dry_run": {
		boolean, "False",
		"nothing would be sent: take the line out",
	},
	"encrypt": {
		boolean, "False",
		"encryption with GnuPG is not supported, and what it stores cannot be compared with what is here: take the line out (the server is asked to encrypt)",
	},
	"follow_symlinks": {
		boolean, "False",
		"symbolic links are not followed, and by s3cmd only when its command line says so: take the line out, and back up what they point to by its own name",
	},
	"requester_pays": {
		boolean, "False",
		"a bucket whose readers pay is not supported: take the line out if the bucket is your own",
	},
	"signature_v2": {
		boolean, "False",
		"requests are signed by version 4 only: take the line out, or write S3_ENGINE = \"s3cmd\" in the general configuration if the server knows no other",
	},
	"skip_existing": {
		boolean, "False",
		"a file that has changed would never be sent again: take the line out",
	},
	"urlencoding_mode": {
		text, "normal",
		"objects would be stored under other names: take the line out",
	},
}

// Fate is what becomes of an option of s3cmd's.
type Fate string

// The fates of options; none for a name that s3cmd does not know.
const (
	Used    Fate = "used"
	Ignored Fate = "ignored"
	Refused Fate = "refused"
)

// FateOf tells what becomes of an option, and why if it is not used.
func FateOf(option string) (fate Fate, why string) {
	if _, ok := used[option]; ok {
		return Used, ""
	}
	if r, ok := refused[option]; ok {
		return Refused, r.why
	}
	for _, group := range ignored {
		if slices.Contains(group.names, option) {
			return Ignored, group.why
		}
	}
	return "", ""
}

// ignored holds the options that have no bearing on what is stored, by the
// reason.
var ignored = []struct {
	why   string
	names []string
}{
	{"about what s3cmd prints", []string{
		"encoding", "human_readable_sizes", "list_md5", "long_listing", "progress_class", "progress_meter", "stats",
		"verbosity",
	}},
	{"about commands that a backup has no use for", []string{
		"cloudfront_host", "content_disposition", "content_type", "delete_after_fetch", "enable", "expiry_date",
		"expiry_days", "expiry_prefix", "force", "get_continue", "limit", "log_target_prefix", "public_url_use_https",
		"recursive", "restore_days", "restore_priority", "signurl_use_https", "simpledb_host", "website_endpoint",
		"website_error", "website_index",
	}},
	{"a web server's cache, which holds no backups", []string{
		"invalidate_default_index_on_cf", "invalidate_default_index_root_on_cf", "invalidate_on_cf",
	}},
	{"means nothing without encrypt, which is refused", []string{
		"gpg_command", "gpg_decrypt", "gpg_encrypt", "gpg_passphrase",
	}},
	{"how bytes travel, not which", []string{
		"connection_max_age", "connection_pooling", "recv_chunk", "send_chunk", "throttle_max", "use_http_expect",
	}},
	{"what is deleted, and when, is decided by the guards of internal/offsite", []string{
		"delay_updates", "delete_after", "delete_removed", "max_delete", "stop_on_error",
	}},
	{"what is sent is decided by content alone; no file is continued, copied within the server or taken from a memory of s3cmd's", []string{
		"cache_file", "multipart_copy_chunk_size_mb", "put_continue", "sync_checks", "upload_id",
	}},
	{"listings are asked for in order", []string{"list_allow_unordered"}},
	{"part of the content type, which nothing reads back", []string{"add_encoding_exts", "use_mime_magic"}},
	{"no line of the file sets it, only s3cmd's command line", []string{
		"acl_grants", "acl_revokes", "additional_destinations", "debug_exclude", "debug_include", "exclude",
		"extra_headers", "files_from", "include", "preserve_attrs_list", "remove_headers",
	}},
}
