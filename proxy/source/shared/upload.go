package shared

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/minio/minio-go/v7"
)

const (
	// uploads is how many go on at once. They are behind all pulls of a team, and
	// nobody waits for them.
	uploads = 2
	// inMemory is up to which size an object goes in one piece.
	inMemory = 16 << 20
	// partSize is that of larger ones: 10,000 parts of it are the largest layers
	// there are, twice over.
	partSize = 16 << 20
	// tries is how often one is tried while the store gives signs of life.
	tries = 4
	// giveUp is for how long a store may be away before what waits is forgotten.
	giveUp = 10 * time.Minute
	// busyMost is how long one object is put off for the sake of downloads.
	busyMost, busyLook = time.Minute, 200 * time.Millisecond
)

// Offer has something put into the store some time, if it is not there. It does not
// wait, and nobody is told how it went but the log: a store that is not filled is
// only slower.
func (s *Store) Offer(it Item) {
	if s.hasIt(it.Key, it.Mark) {
		return
	}
	if s.queue.put(it) {
		s.log.Warn("more waits to go to the shared store than is kept; the oldest is forgotten", "store", s.String(), "waiting", maxQueue)
	}
}

// Waiting is how many objects are yet to be put into the store.
func (s *Store) Waiting() int { return s.queue.waits() }

// fill puts one item after another into the store until ctx ends.
func (s *Store) fill(ctx context.Context) {
	for s.up(ctx) {
		it, ok := s.queue.take()
		if !ok {
			select {
			case <-ctx.Done():
				return
			case <-s.queue.more:
			}
			continue
		}
		s.bring(ctx, it)
		s.queue.done(it)
	}
}

// up waits until there is something to do and the store can be written to; false:
// ctx has ended.
func (s *Store) up(ctx context.Context) bool {
	since := time.Now()
	for ctx.Err() == nil {
		s.mu.Lock()
		ready, write, why := s.ready, s.write, s.why
		s.mu.Unlock()
		waits := s.queue.waits()
		switch {
		case ready && write, waits == 0:
			return true
		case ready: // and never will be
			s.queue.drop()
			return true
		case time.Since(since) > giveUp:
			if n := s.queue.drop(); n > 0 {
				s.log.Warn("the shared store stays away; what was to go there is forgotten", "store", s.String(), "objects", n, "why", why)
			}
			since = time.Now()
		}
		s.want()
		if !pause(ctx, firstPause) {
			return false
		}
	}
	return false
}

// want keeps the store watched.
func (s *Store) want() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = time.Now()
}

// bring puts one item into the store, in a few tries.
func (s *Store) bring(ctx context.Context, it Item) {
	for try := 1; ; try++ {
		s.yield(ctx)
		err := s.send(ctx, it)
		var gone *goneError
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			s.queue.went()
			s.has(it.Key, it.Mark)
			return
		case errors.As(err, &gone):
			s.log.Debug("not put into the shared store", "key", it.Key, "why", gone.error)
			return
		case codeOf(err) == "AccessDenied" || try == tries:
			s.log.Info("not put into the shared store", "store", s.String(), "key", it.Key, "err", unquoted(err))
			return
		}
		if codeOf(err) == "" {
			s.Suspect(unquoted(err).Error())
		}
		if !pause(ctx, firstPause<<try) || !s.up(ctx) {
			return
		}
	}
}

// yield lets downloads go first, for a while.
func (s *Store) yield(ctx context.Context) {
	for since := time.Now(); s.opt.Busy() && time.Since(since) < busyMost; {
		if !pause(ctx, busyLook) {
			return
		}
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// goneError says that there is nothing to send, or that it must not be sent.
type goneError struct{ error }

// send puts an item into the store unless it is there. What is sent was read and
// proved right before: wrong bytes would make a liar of the store.
func (s *Store) send(ctx context.Context, it Item) error {
	c, err := s.dial()
	if err != nil {
		return &goneError{err}
	}
	if it.Allowed != nil && !it.Allowed() {
		return &goneError{errors.New("it is not known to be public any more")}
	}
	content, err := it.Open()
	if err != nil {
		return &goneError{err}
	}
	defer func() { _ = content.Close() }()
	bucket, key, size := s.opt.Store.Bucket, s.key(it.Key), content.Size()
	if !it.Replace {
		info, err := c.StatObject(ctx, bucket, key, minio.StatObjectOptions{})
		switch {
		case err == nil && info.Size == size:
			return nil
		case err != nil && !missing(codeOf(err)) && codeOf(err) != "AccessDenied":
			return err
		}
	}
	if err := prove(it, content); err != nil {
		return &goneError{err}
	}
	body := io.NewSectionReader(content, 0, size)
	o := minio.PutObjectOptions{ContentType: it.Type, SendContentMd5: true, PartSize: partSize, NumThreads: 1, DisableMultipart: size <= inMemory}
	if size > inMemory {
		// Each part carries an MD5 that the store compares, one part at a time.
		_, err = c.PutObject(ctx, bucket, key, body, size, o)
		return err
	}
	if it.Digest != "" { // minio-go hands it on as the header it is
		o.UserMetadata = map[string]string{"X-Amz-Checksum-Sha256": sumHeader(it.Digest)}
	}
	_, err = c.PutObject(ctx, bucket, key, body, size, o)
	return err
}

// prove reads the content and compares its digest.
func prove(it Item, content Content) error {
	if it.Digest == "" {
		return nil
	}
	v := it.Digest.Verifier()
	if _, err := io.Copy(v, io.NewSectionReader(content, 0, content.Size())); err != nil {
		return err
	}
	if !v.Verified() {
		return fmt.Errorf("what is in the cache is not %s", it.Digest)
	}
	return nil
}
