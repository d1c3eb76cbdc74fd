package cache

import (
	"encoding/binary"
	"slices"
	"strings"
)

// The catalogue says what belongs to which image. Its roots are the ref files:
// each is a row of tableRefs and belongs to one image, which is a manifest or
// index in one repository. An image counts as a user of its manifest, and a
// manifest in use that is stored as a user of all it points at; the counts are in
// the blobs' records, and a blob whose count comes down to nothing can go.

// imageKey is a repository and the digest of a manifest: repository, 0, digest.
type imageKey string

func imageKeyOf(n Name, k key) imageKey { return imageKey(n.String() + "\x00" + string(k[:])) }

// imagePrefix is what the keys of a repository's images and refs begin with.
func imagePrefix(n Name) []byte { return []byte(n.String() + "\x00") }

func (ik imageKey) valid() bool {
	i := strings.IndexByte(string(ik), 0)
	return i >= 0 && len(ik)-i-1 == len(key{})
}

func (ik imageKey) name() Name { return nameOf(string(ik)) }
func (ik imageKey) root() key  { return key([]byte(ik[len(ik)-len(key{}):])) }

// nameOf takes the repository out of a key of images or refs.
func nameOf(s string) Name {
	s, _, _ = strings.Cut(s, "\x00")
	registry, repository, _ := strings.Cut(s, "/")
	return Name{registry, repository}
}

// image is what is known of an image. Times are ns since 1970.
type image struct {
	first, used, checked int64
	saved                int64 // bytes served that were not fetched again
	refs                 []imageRef
}

// imageRef is a tag, or a digest as linkID spells it.
type imageRef struct {
	id     string
	pinned bool
}

// linkID stands for a manifest pulled by digest where else a tag stands.
func linkID(k key) string { return "@" + k.hex() }

func isLink(id string) bool { return strings.HasPrefix(id, "@") }

func (i image) pinned() bool {
	return slices.ContainsFunc(i.refs, func(r imageRef) bool { return r.pinned })
}

// evictable reports whether an image may go to make room.
func (i image) evictable(n Name) bool { return n.Registry != Local && !i.pinned() }

func encodeImage(i image) []byte {
	var b []byte
	for _, n := range []int64{i.first, i.used, i.checked, i.saved} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	for _, r := range i.refs {
		flag := byte(0)
		if r.pinned {
			flag = 1
		}
		b = appendText(append(b, flag), r.id)
	}
	return sealed(b)
}

func decodeImage(v []byte) (i image, ok bool) {
	b, ok := unsealed(v)
	if !ok || len(b) < 4*8 {
		return i, false
	}
	for n, to := range []*int64{&i.first, &i.used, &i.checked, &i.saved} {
		*to = int64(binary.BigEndian.Uint64(b[8*n:]))
	}
	for b = b[4*8:]; len(b) > 0; {
		r := imageRef{pinned: b[0] == 1}
		if r.id, b, ok = cutText(b[1:]); !ok {
			return i, false
		}
		i.refs = append(i.refs, r)
	}
	return i, true
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func cutText(b []byte) (s string, rest []byte, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return "", nil, false
	}
	return string(b[used : used+int(n)]), b[used+int(n):], true
}

// image looks an image up. Needs mu.
func (s *store) image(ik imageKey) (i image, ok bool) {
	s.view(tableImages, []byte(ik), func(v []byte) error {
		if i, ok = decodeImage(v); !ok {
			return errDamaged
		}
		return nil
	})
	return i, ok
}

// setImage changes an image, and its place in the order. Needs mu.
func (s *store) setImage(ik imageKey, i image) {
	n := ik.name()
	if old, ok := s.image(ik); ok && old.evictable(n) && (old.used != i.used || !i.evictable(n)) {
		s.unset(tableOrder, timeKey(old.used, []byte(ik)))
	}
	if i.evictable(n) {
		s.set(tableOrder, timeKey(i.used, []byte(ik)), []byte{})
	}
	s.set(tableImages, []byte(ik), encodeImage(i))
}

// ref is what a tag or link stands for according to the catalogue. Needs mu.
func (s *store) ref(n Name, id string) (root key, ok bool) {
	s.view(tableRefs, append(imagePrefix(n), id...), func(v []byte) error {
		if ok = len(v) == len(root); !ok {
			return errDamaged
		}
		root = key(v)
		return nil
	})
	return root, ok
}

// refRow is a tag or link as its file says it. Times are ns since 1970.
type refRow struct {
	id     string
	root   key
	pinned bool

	first, used, checked int64
}

// setRef puts a tag or link into the catalogue. What falls out of use by that
// belongs to no image from then on. Adopt the root next. Needs mu.
func (s *store) setRef(n Name, r refRow) {
	was, had := s.ref(n, r.id)
	ik := imageKeyOf(n, r.root)
	i, exists := s.image(ik)
	if !exists {
		i.first = r.first
		s.addUse(r.root, true)
	}
	i.used, i.checked = max(i.used, r.used), max(i.checked, r.checked)
	at := slices.IndexFunc(i.refs, func(o imageRef) bool { return o.id == r.id })
	if at < 0 {
		at = len(i.refs)
		i.refs = append(i.refs, imageRef{id: r.id})
	}
	i.refs[at].pinned = r.pinned
	s.setImage(ik, i)
	if had && was != r.root {
		s.leave(imageKeyOf(n, was), r.id, nil)
	}
	s.set(tableRefs, append(imagePrefix(n), r.id...), slices.Clone(r.root[:]))
}

// dropRef takes a tag or link out of the catalogue. gone hears of the stored
// blobs that nothing uses any more. Needs mu.
func (s *store) dropRef(n Name, id string, gone func(key)) {
	s.reading(func() { s.takeRef(n, id, gone) })
}

func (s *store) takeRef(n Name, id string, gone func(key)) {
	root, ok := s.ref(n, id)
	if !ok {
		return
	}
	s.unset(tableRefs, append(imagePrefix(n), id...))
	s.leave(imageKeyOf(n, root), id, gone)
}

// leave takes a ref from its image, and the image away with its last one.
func (s *store) leave(ik imageKey, id string, gone func(key)) {
	i, ok := s.image(ik)
	if !ok {
		return
	}
	rest := slices.DeleteFunc(slices.Clone(i.refs), func(r imageRef) bool { return r.id == id })
	if len(rest) > 0 {
		i.refs = rest
		s.setImage(ik, i)
		return
	}
	if i.evictable(ik.name()) {
		s.unset(tableOrder, timeKey(i.used, []byte(ik)))
	}
	s.unset(tableImages, []byte(ik))
	s.dropUse(ik.root(), gone)
}

// addUse counts a user of a blob. Needs mu.
func (s *store) addUse(k key, manifest bool) {
	old := s.blob(k)
	r := old
	r.refs++
	r.manifest = r.manifest || manifest
	s.change(k, old, r)
}

// dropUse takes a user away; what a manifest that is in use no more points at
// loses one, too. Needs mu.
func (s *store) dropUse(k key, gone func(key)) {
	for todo := []key{k}; len(todo) > 0; {
		k, todo = todo[len(todo)-1], todo[:len(todo)-1]
		old := s.blob(k)
		if old.refs == 0 { // the books contradict themselves
			s.lose(errDamaged)
			return
		}
		r := old
		r.refs--
		s.change(k, old, r)
		if r.refs > 0 {
			continue
		}
		if r.stored && gone != nil {
			gone(k)
		}
		if l, held := s.links(k); held {
			s.unset(tableLinks, k[:])
			todo = append(todo, l.children()...)
		}
	}
}
