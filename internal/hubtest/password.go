package hubtest

import (
	"crypto/rand"
	"time"
)

// pass is a password that ends.
type pass struct {
	user    string
	expires time.Time
}

// Password makes a user (who need not be in Users) a password that ends after life by Hub.Now, beside any other. Amazon's
// ECR gives user AWS one for twelve hours, and answers 403 instead of 401 when it has ended
// (https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html).
func (s *Site) Password(user string, life time.Duration) string {
	word := rand.Text()
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	s.issued[word] = pass{user, s.hub.Now().Add(life)}
	return word
}

// expired is what a registry says of a password that has ended.
const expired = "Your authorization token has expired. Reauthenticate and try again."

// login reports whether the password is the user's, or was.
func (s *Site) login(user, password string) (ok, ended bool) {
	s.hub.mu.Lock()
	defer s.hub.mu.Unlock()
	if p, found := s.issued[password]; found && p.user == user {
		ended = !s.hub.Now().Before(p.expires)
		return !ended, ended
	}
	users := s.Users
	if users == nil {
		users = s.hub.users
	}
	want, found := users[user]
	return found && want == password, false
}
