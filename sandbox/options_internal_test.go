package sandbox

import "testing"

// Whoever asks for less memory than usual need not know what lives in it.
func TestOptions_DisksFitTheMemory(t *testing.T) {
	const mib = 1 << 20
	cfg := Config{Limits: Limits{Memory: 1024 * mib, WorkDir: 256 * mib, Tmp: 64 * mib, Shm: 64 * mib}, MaxLimits: Ceilings{Memory: 2048 * mib, WorkDir: 512 * mib}}
	for _, tt := range []struct {
		asked             SessionOptions
		workDir, tmp, shm int64 // MiB, rounded down; 0 is refused
	}{
		{SessionOptions{}, 256, 64, 64},
		{SessionOptions{Memory: 768 * mib}, 256, 64, 64},
		{SessionOptions{Memory: 512 * mib}, 170, 42, 42},
		{SessionOptions{Memory: 64 * mib}, 21, 5, 5},
		{SessionOptions{WorkDir: 448 * mib}, 448, 32, 32},
		{SessionOptions{Memory: 512 * mib, WorkDir: 128 * mib}, 128, 64, 64},
		{SessionOptions{WorkDir: 511 * mib}, 0, 0, 0},
		{SessionOptions{WorkDir: 512 * mib}, 0, 0, 0},
		{SessionOptions{Memory: 8 * mib}, 0, 0, 0},
		{SessionOptions{Memory: 256 * mib, WorkDir: 512 * mib}, 0, 0, 0},
	} {
		l, err := tt.asked.limits(cfg)
		switch {
		case tt.workDir == 0 && ErrorCode(err) == CodeInvalid:
		case err == nil && l.WorkDir/mib == tt.workDir && l.Tmp/mib == tt.tmp && l.Shm/mib == tt.shm && l.WorkDir+l.Tmp+l.Shm <= l.Memory/2:
		default:
			t.Errorf("%+v: got %+v, %v", tt.asked, l, err)
		}
	}
}
