package cache

import "go.etcd.io/bbolt"

// check reads everything once and holds the tables against each other: the file
// is put aside if they do not fit.
func (s *store) check(tx *bbolt.Tx) error {
	uses := make(map[key]uint32)
	if err := checkImages(tx, uses); err != nil {
		return err
	}
	err := each(tx, tableLinks, func(_, v []byte) bool {
		l, ok := decodeLinks(v)
		for _, child := range l.children() {
			uses[child]++
		}
		return ok
	})
	if err != nil {
		return err
	}
	loose, total, count := 0, int64(0), int64(0)
	err = each(tx, tableBlobs, func(k, v []byte) bool {
		r, ok := decodeRecord(v)
		if !ok || len(k) != len(key{}) || r.refs != uses[key(k)] {
			return false
		}
		delete(uses, key(k))
		if r.stored {
			total += r.size
			count++
		}
		if !r.stored || r.refs > 0 {
			return true
		}
		loose++
		return has(tx, tableLoose, timeKey(r.used, k))
	})
	if err != nil {
		return err
	}
	if len(uses) > 0 || total != s.total || count != s.count {
		return errDamaged
	}
	return rows(tx, tableLoose, loose)
}

// checkImages holds images, their refs and their order against each other, and
// counts them as users of their roots.
func checkImages(tx *bbolt.Tx, uses map[key]uint32) error {
	refs, order := 0, 0
	err := each(tx, tableImages, func(k, v []byte) bool {
		ik := imageKey(k)
		i, ok := decodeImage(v)
		if !ok || !ik.valid() || len(i.refs) == 0 {
			return false
		}
		n, root := ik.name(), ik.root()
		uses[root]++
		for _, r := range i.refs {
			refs++
			if v := tx.Bucket(bucketNames[tableRefs]).Get(append(imagePrefix(n), r.id...)); string(v) != string(root[:]) {
				return false
			}
		}
		if !i.evictable(n) {
			return true
		}
		order++
		return has(tx, tableOrder, timeKey(i.used, k))
	})
	if err == nil {
		err = rows(tx, tableRefs, refs)
	}
	if err == nil {
		err = rows(tx, tableOrder, order)
	}
	return err
}

// each calls f for every row until it says that one is no good.
func each(tx *bbolt.Tx, t table, f func(k, v []byte) bool) error {
	return tx.Bucket(bucketNames[t]).ForEach(func(k, v []byte) error {
		if !f(k, v) {
			return errDamaged
		}
		return nil
	})
}

func has(tx *bbolt.Tx, t table, k []byte) bool {
	return tx.Bucket(bucketNames[t]).Get(k) != nil
}

// rows checks that a table has n.
func rows(tx *bbolt.Tx, t table, n int) error {
	err := each(tx, t, func(_, _ []byte) bool {
		n--
		return true
	})
	if err == nil && n != 0 {
		err = errDamaged
	}
	return err
}
