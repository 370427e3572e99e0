// Package objectstore starts object-store servers on loopback for tests: versitygw (S3)
// and fake-gcs-server (Google Cloud Storage). .ci/run installs both.
package objectstore

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Store is a running server with one bucket, named "exports".
type Store struct {
	Root    string // folder behind the bucket: a file written here before Start is an object
	Address string // scheme://exports
	Options string // what an address needs after its key: ?endpoint=…
	HTTP    string // host:port of the server
}

// S3 serves the objects of a folder, with the credentials in the environment of the test.
func S3(t *testing.T, root string) Store {
	t.Helper()
	bin := find(t, "versitygw")
	place(t, filepath.Join(root, "exports"))
	listen := free(t)
	meta := t.TempDir()
	start(t, exec.Command(bin, "--access", "test", "--secret", "testsecret", "--port", listen, "--region", "us-east-1", "--quiet",
		"posix", "--sidecar", meta, root), "http://"+listen)
	t.Setenv("AWS_ACCESS_KEY_ID", "test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "testsecret")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	return Store{Root: filepath.Join(root, "exports"), Address: "s3://exports", HTTP: listen, Options: S3Options(listen)}
}

// S3Options are the options of an address of the S3 server at host:port.
func S3Options(listen string) string {
	return "?endpoint=http://" + listen + "&region=us-east-1&use_path_style=true&hostname_immutable=true"
}

// GCS serves a folder as Google Cloud Storage.
func GCS(t *testing.T, root string) Store {
	t.Helper()
	bin := find(t, "fake-gcs-server")
	place(t, filepath.Join(root, "exports"))
	listen := free(t)
	_, port, _ := net.SplitHostPort(listen)
	start(t, exec.Command(bin, "-scheme", "http", "-host", "127.0.0.1", "-port", port, "-public-host", listen, "-external-url", "http://"+listen,
		"-backend", "memory", "-data", root, "-log-level", "error"), "http://"+listen+"/storage/v1/b")
	t.Setenv("STORAGE_EMULATOR_HOST", listen)
	return Store{Root: filepath.Join(root, "exports"), Address: "gs://exports", HTTP: listen}
}

func find(t *testing.T, name string) string {
	bin, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("COHORTLINE_SERVERS_REQUIRED") != "" {
			t.Fatalf("%s is not installed; .ci/run installs it", name)
		}
		t.Skipf("%s is not installed; .ci/run installs it", name)
	}
	return bin
}

func place(t *testing.T, dir string) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

// free finds a free port on loopback.
func free(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs a server until the test ends and waits until it answers.
func start(t *testing.T, c *exec.Cmd, url string) {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Process.Kill()
		_ = c.Wait() // says that it was killed
		log.Close()
	})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		req, _ := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if resp, err := http.DefaultClient.Do(req); err == nil {
			resp.Body.Close()
			return
		}
		if ctx.Err() != nil {
			said, _ := os.ReadFile(log.Name())
			t.Fatalf("%s does not answer: %s", c.Path, said)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
