package s3server

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// versitygw is the running program of testserver/.
type versitygw struct {
	cmd   *exec.Cmd
	stdin io.Closer
}

func (s *Server) startVersityGW(program string) error {
	s.Dir = filepath.Join(s.Data, "buckets", s.Bucket)
	var stderr bytes.Buffer
	cmd := exec.Command(program, "-dir", s.Data, "-bucket", s.Bucket)
	cmd.Env = append(os.Environ(), "ACCESS_KEY="+s.AccessKey, "SECRET_KEY="+s.SecretKey)
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &versitygw{cmd, stdin}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if _, scanErr := fmt.Sscanf(line, "endpoint %s", &s.Endpoint); err != nil || scanErr != nil {
		p.end(syscall.SIGTERM)
		return fmt.Errorf("versitygw did not start: %q\n%s", line, &stderr)
	}
	s.process = p
	return nil
}

func (p *versitygw) pid() int { return p.cmd.Process.Pid }

func (p *versitygw) end(how syscall.Signal) {
	_ = p.cmd.Process.Signal(how)
	_ = p.stdin.Close()
	_ = p.cmd.Wait()
}
