package shared

import (
	"errors"
	"slices"

	"github.com/minio/minio-go/v7"
)

// refusedError is what a person has to see to.
type refusedError struct{ why string }

func (e *refusedError) Error() string { return e.why }

// problemOf is what a person is told, "" for what passes by itself.
func problemOf(err error) string {
	var r *refusedError
	if errors.As(err, &r) {
		return r.why
	}
	return ""
}

// refusals are the codes that say that the credentials, not the request, are wrong,
// with what to do about them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var refusals = map[string]string{
	"InvalidAccessKeyId":    "it does not know the access key; check AWS_ACCESS_KEY_ID or AWS_PROFILE of the daemon",
	"SignatureDoesNotMatch": "the secret key is not that of the access key; check AWS_SECRET_ACCESS_KEY or AWS_PROFILE of the daemon",
	"InvalidToken":          "it does not take the session token; log in again, or check AWS_SESSION_TOKEN",
	"ExpiredToken":          "the session has run out; log in again, as with: aws sso login",
	"RequestTimeTooSkewed":  "this machine's clock is wrong; set it",
	"NoSuchBucket":          "there is no such bucket; create it, or correct cache.shared",
	"AccessDenied":          "the credentials may neither read nor write there; allow s3:GetObject and s3:PutObject below the prefix",

	"AuthorizationHeaderMalformed": "the region is not its own; set region=… in cache.shared",
	"PermanentRedirect":            "the bucket is at another endpoint; correct cache.shared",
	"InvalidBucketName":            "the bucket's name is none; correct cache.shared",
}

// passing are the codes of what passes by itself.
var passing = []string{"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "OperationAborted", "TooManyRequests", "ServerBusy", "Throttling"}

// denied reports whether a code is a refusal that no further permission helps against.
func denied(code string) bool { return refusals[code] != "" && code != "AccessDenied" }

// codeOf is S3's name for what went wrong, "" if the store said nothing.
func codeOf(err error) string {
	var r minio.ErrorResponse
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}

// missing reports whether a code says that there is no such object.
func missing(code string) bool {
	return slices.Contains([]string{"NoSuchKey", "NoSuchObject", "NotFound", "NoSuchVersion"}, code)
}

// plain is an error without what the store says in its own words, which may quote
// the request.
func plain(err error) error {
	if code := codeOf(err); code != "" {
		why := refusals[code]
		switch {
		case slices.Contains(passing, code):
			return errors.New("the store answers " + code)
		case why == "": // servers have codes of their own
			why = "check cache.shared, and AWS_ACCESS_KEY_ID or AWS_PROFILE of the daemon"
		}
		return &refusedError{"the store refuses it (" + code + "): " + why}
	}
	return err
}
