package cache

// FreeSpace is how many bytes are free on the disk that the cache is on. It asks
// the system, which takes its time where the disk is another machine's.
func (c *Cache) FreeSpace() (int64, error) { return c.free(c.dir) }
