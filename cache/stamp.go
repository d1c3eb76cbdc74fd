package cache

// stamp is what a file looked like when its content was last seen to fit its
// digest. A file that still looks so is served as it is; one that does not is
// hashed first. ctime catches writers that put mtime back.
type stamp struct {
	size  int64
	mtime int64  // ns since 1970
	ctime int64  // ns, change of the inode; 0 where the platform has none
	inode uint64 // 0 where the platform has none
}
