package lapse

// Len is how many entries there are, with those that have lapsed and not gone yet.
func (m *Map[K, V]) Len() int { return len(m.of) }
