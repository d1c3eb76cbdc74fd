package cache

// isNotDir has nothing to find: such a path is "not found" here.
func isNotDir(error) bool { return false }
