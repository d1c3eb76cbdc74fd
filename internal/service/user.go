package service

import (
	"cmp"
	"context"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"pulley/internal/docker/machine"
)

// account is the user and the group of the system's service.
const account = "pulley"

// firstPerson is the number that people's users begin with.
const firstPerson = 1000

// systemDirs are the folders of the system's service on Linux, as config.SystemEnviron has them. /run/pulley is made at each
// start.
func systemDirs() []string {
	return []string{"/etc/pulley", "/var/cache/pulley", "/var/lib/pulley"}
}

// prepare makes the user and the folders that are missing, and tells which. file is that of an installation before.
func (s *Service) prepare(ctx context.Context, file string, dirs []string) (made, error) {
	var m made
	before, err := s.before(file)
	if err != nil {
		return m, err
	}
	if m.User, err = s.addUser(ctx); err != nil {
		return m, err
	}
	for _, dir := range dirs {
		switch has := s.has(dir); {
		case has && (slices.Contains(before.Data, dir) || slices.Contains(before.Lent, dir)):
			continue
		case has: // somebody put settings there before: the daemon must be able to read and write them
			_, err = s.command(ctx, "chown", "-R", s.account()+":"+account, dir)
			m.Lent = append(m.Lent, dir)
		default:
			mode := "0750"
			if strings.HasPrefix(dir, "/etc/") {
				mode = "0755" // as other settings are; the files are the service's alone
			}
			_, err = s.command(ctx, "install", "-d", "-m", mode, "-o", s.account(), "-g", account, dir)
			m.Data = append(m.Data, dir)
		}
		if err != nil {
			s.undo(ctx, m)
			return m, fmt.Errorf("service: %w", err)
		}
	}
	return m, nil
}

// account is the user's name: macOS has an underscore before those of services.
func (s *Service) account() string {
	if s.m.Facts().OS == machine.Darwin {
		return "_" + account
	}
	return account
}

// addUser makes the user and group if they are not there. One that is a person's is not taken.
func (s *Service) addUser(ctx context.Context) (made bool, err error) {
	out, err := s.command(ctx, "id", "-u", s.account())
	if err == nil {
		if id, err := strconv.Atoi(strings.TrimSpace(out)); err == nil && (id == 0 || id >= firstPerson && s.m.Facts().OS == machine.Linux) {
			return false, fmt.Errorf("service: the user %s is somebody's (number %d) and not the service's; next: rename that user, or install without --system", account, id)
		}
		return false, nil
	}
	if s.m.Facts().OS == machine.Darwin {
		return true, s.addUserDarwin(ctx)
	}
	useradd, addgroup := "--user-group", [][]string{{"addgroup", "-S", account}}
	if _, err := s.command(ctx, "getent", "group", account); err == nil { // of a user before, kept by its members
		useradd, addgroup = "--gid="+account, nil
	}
	for _, way := range [][][]string{
		{{"useradd", "--system", useradd, "--home-dir", "/var/lib/pulley", "--no-create-home", "--shell", "/usr/sbin/nologin", "--comment", "Pulley", account}},
		append(addgroup, []string{"adduser", "-S", "-D", "-H", "-h", "/var/lib/pulley", "-s", "/sbin/nologin", "-G", account, account}), // BusyBox
	} {
		for _, command := range way {
			if _, err = s.command(ctx, command...); err != nil {
				break
			}
		}
		if err == nil || !missing(err) {
			break
		}
	}
	if err != nil {
		return false, fmt.Errorf("service: the user %s cannot be made: %w", account, err)
	}
	return true, nil
}

// removeUser removes the user and, where that does not go with it, the group: what is there of them.
func (s *Service) removeUser(ctx context.Context) error {
	if s.m.Facts().OS == machine.Darwin {
		_, err := s.command(ctx, "dscl", ".", "-delete", "/Users/_"+account)
		_, gerr := s.command(ctx, "dscl", ".", "-delete", "/Groups/"+account)
		return cmp.Or(err, gerr)
	}
	var err error
	if _, gone := s.command(ctx, "id", "-u", account); gone == nil {
		if _, err = s.command(ctx, "userdel", account); missing(err) {
			_, err = s.command(ctx, "deluser", account)
		}
	}
	if _, gone := s.command(ctx, "getent", "group", account); gone == nil {
		_, gerr := s.command(ctx, "groupdel", account)
		if missing(gerr) {
			_, gerr = s.command(ctx, "delgroup", account)
		}
		err = cmp.Or(err, gerr)
	} else if missing(gone) {
		_, _ = s.command(ctx, "delgroup", account) // it may have gone with the user
	}
	return err
}

// addUserDarwin takes a number below 500, which macOS shows in no list of people.
func (s *Service) addUserDarwin(ctx context.Context) error {
	taken := make(map[int]bool)
	for _, list := range [][]string{{"dscl", ".", "-list", "/Users", "UniqueID"}, {"dscl", ".", "-list", "/Groups", "PrimaryGroupID"}} {
		out, err := s.command(ctx, list...)
		if err != nil {
			return fmt.Errorf("service: the user %s cannot be made: %w", s.account(), err)
		}
		for line := range strings.Lines(out) {
			if fields := strings.Fields(line); len(fields) == 2 {
				if id, err := strconv.Atoi(fields[1]); err == nil {
					taken[id] = true
				}
			}
		}
	}
	id := 399
	for taken[id] {
		id--
	}
	number := strconv.Itoa(id)
	group, user := "/Groups/"+account, "/Users/"+s.account()
	for _, create := range [][]string{
		{group, "PrimaryGroupID", number},
		{group, "RealName", "Pulley"},
		{user, "UniqueID", number},
		{user, "PrimaryGroupID", number},
		{user, "UserShell", "/usr/bin/false"},
		{user, "RealName", "Pulley"},
		{user, "NFSHomeDirectory", darwinHome},
		{user, "IsHidden", "1"},
	} {
		if _, err := s.command(ctx, append([]string{"dscl", ".", "-create"}, create...)...); err != nil {
			_ = s.removeUser(ctx)
			return fmt.Errorf("service: the user %s cannot be made: %w", s.account(), err)
		}
	}
	return nil
}

// groupHint tells the person how to be allowed to ask the system's service.
func (s *Service) groupHint() []string {
	facts := s.m.Facts()
	if facts.User == "" || facts.UID == 0 {
		return nil
	}
	groups, err := s.m.ReadFile("/etc/group")
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(groups.Data)) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) == 4 && fields[0] == account && slices.Contains(strings.Split(fields[3], ","), facts.User) {
			return nil
		}
	}
	return []string{fmt.Sprintf("to ask it as %s: sudo usermod -aG %s %s, and log in anew", facts.User, account, facts.User)}
}

const darwinHome = "/Library/Application Support/Pulley"

// logFile is the keeper's, where there is no journal.
func logFile(dir string) string { return path.Join(dir, "pulley.log") }
