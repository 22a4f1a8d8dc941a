package rules_test

import (
	"strings"
	"testing"

	"pistack/compose"
	"pistack/compose/rules"
)

// made joins the parts of a key that is none: whole, it would alarm whoever
// looks for keys in this repository.
func made(parts ...string) string { return strings.Join(parts, "") }

// letters is the part of a key that is the value: as long as any form needs,
// and with nothing in it that a placeholder has.
const (
	letters = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dF3gH5"
	capital = "AB3DE5GH7JK9MN1PQ3ST5VW7YZ9BC1DF3GH5"
)

// keys is one key of every form that is known.
func keys() map[string]string {
	return map[string]string{
		"private key":           made("-----BEGIN OPENSSH PRIV", "ATE KEY-----"),
		"private age key":       made("AGE-SECRET", "-KEY-1", capital, capital),
		"key of an AI provider": made("sk", "-proj-", letters),
		"GitHub token":          made("gh", "p_", letters),
		"GitLab token":          made("glp", "at-", letters[:20]),
		"AWS access key":        made("AK", "IA", capital[:16]),
		"Slack token":           made("xo", "xb-", letters),
		"Google API key":        made("AI", "za", letters[:35]),
		"Tailscale key":         made("ts", "key-auth-", letters),
		"Hugging Face token":    made("h", "f_", letters),
		"Docker Hub token":      made("dckr", "_pat_", letters),
		"Stripe key":            made("sk", "_live_", letters[:24]),
		"npm token":             made("np", "m_", letters),
		"Telegram bot token":    made("123456789", ":AA", letters[:33]),
	}
}

// TestPlaintextKeys: every form is found wherever a stack has text, at its
// column, and nothing of it is shown.
func TestPlaintextKeys(t *testing.T) {
	for kind, key := range keys() {
		t.Run(kind, func(t *testing.T) {
			f := one("    environment: {A: \""+key+"\"}\n    command: [x, \"--key="+key+"\"]\n    volumes: [\"./conf:/conf\"]\n    env_file: [more.env]\n").
				file("a/.env", "# "+key+"\nÄ="+key+"\n").
				file("a/more.env", "X="+key+"\n").
				file("a/conf/app.ini", "[a]\r\nkey = "+key+"\r\n").
				file("a/conf/binary", "\x00"+key).
				file("a/not-used", key).
				with(func(t *rules.Target) {
					t.Env = []rules.Variable{{"E", key, compose.Position{File: "hosts/pi/host.toml", Line: 3, Column: 1}}}
				})
			want := "error: a " + kind + " stands here in clear [plaintext-key]"
			found := f.findings(t)
			if got, want := text(found), lines(
				"hosts/pi/host.toml:3:1: "+want,
				"a/.env:1:3: "+want, "a/.env:2:3: "+want,
				"a/compose.yaml:5:23: "+want, "a/compose.yaml:6:25: "+want,
				"a/conf/app.ini:2:7: "+want, "a/more.env:1:3: "+want,
			); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			for _, f := range found {
				if strings.Contains(f.Message+f.Fix, key[4:12]) {
					t.Errorf("shows a part of the value: %+v", f)
				}
			}
		})
	}
}

func TestNoKeys(t *testing.T) {
	for _, value := range []string{
		"", "sk-", "task-" + letters, "disk_" + made("sk", "_live_"), made("sk", "-your-key-here-123456789"), made("sk", "-xxxxxxxxxxxxxxxxxxxxxxxx"),
		made("AK", "IA", "IOSFODNN7EXAMPLE"), made("gh", "p_", strings.Repeat("0", 36)), "-----BEGIN PUBLIC KEY-----", "ghp_short",
		"sha256:" + strings.Repeat("0123456789abcdef", 4), "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj",
	} {
		if got := text(one("    labels: {a: \"" + value + "\"}\n").findings(t)); got != "" {
			t.Errorf("%q: %s", value, got)
		}
	}
}

func TestPlaintextSecrets(t *testing.T) {
	const inService = " of service web has a literal value [plaintext-secret]"
	env := func(text string) fixture { return one("    environment: {" + text + "}\n") }
	for _, c := range []struct {
		name    string
		fixture fixture
		want    string
	}{
		{"names", env("MYSQL_ROOT_PASSWORD: canary, apikey: canary, ADMIN_TOKEN: canary, DB_PASS: canary, app.secret: canary, JWT_SECRET_2: canary"), lines(
			"a/compose.yaml:5:19: warning: MYSQL_ROOT_PASSWORD"+inService, "a/compose.yaml:5:48: warning: apikey"+inService,
			"a/compose.yaml:5:64: warning: ADMIN_TOKEN"+inService, "a/compose.yaml:5:85: warning: DB_PASS"+inService,
			"a/compose.yaml:5:102: warning: app.secret"+inService, "a/compose.yaml:5:122: warning: JWT_SECRET_2"+inService)},
		{"list", one("    environment:\n      - A=b\n      - DB_PASSWORD=canary\n"), "a/compose.yaml:7:9: warning: DB_PASSWORD" + inService},
		{"anchor", stacks("x-e: &e {DB_PASSWORD: canary}\n" + plain + "    environment: *e\n"), "a/compose.yaml:1:10: warning: DB_PASSWORD" + inService},
		{"inside a URL", env("DATABASE_URL: \"postgres://app:canary@db/app\""), "a/compose.yaml:5:19: warning: DATABASE_URL" + inService},
		{"other names", env("TOKEN_TTL: \"3600\", PASSWORD_FILE: x, SECRET_NAME: x, BYPASS: x, COMPASS: x, PUBLIC_KEY: x, KEYBOARD: x, PWD: x, TOKENS: x"), ""},
		{"values that are none", env("A_PASSWORD: \"\", B_TOKEN: false, C_TOKEN: /run/secrets/x, D_SECRET: changeme, E_SECRET: <secret>, F_TOKEN: \"https://example.org/token\", G_TOKEN: none, H_PASSWORD: \"1\""), ""},
		{"URLs without a password", env("A_URL: \"postgres://app@db/app\", B_URL: \"https://example.org:443/a@b\", C_URL: \"http://u:changeme@x/\""), ""},
		{"a secret of the host", fixture{files: env("DB_PASSWORD: \"x${DB_PASSWORD}\"").files, secrets: map[string]string{"DB_PASSWORD": "v"}},
			"a/compose.yaml:5:19: warning: secret DB_PASSWORD is in the environment of service web as DB_PASSWORD: it shows in docker inspect and in Docker's files on the device's disk [secret-in-environment]"},
		{"default", env("DB_PASSWORD: \"${DB_PASSWORD:-canary}\""), "a/compose.yaml:5:19: warning: DB_PASSWORD" + inService},
		{".env, once", env("DB_PASSWORD: $DB_PASSWORD, URL: \"x://a:${DB_PASSWORD}@b\"").file("a/.env", "A=b\nexport DB_PASSWORD=\"canary\" # old\n# X_TOKEN=canary\n"),
			"a/.env:2:1: warning: DB_PASSWORD has a literal value [plaintext-secret]"},
		{".env by another name", env("DB_PASSWORD: $DB").file("a/.env", "DB=canary\n"), "a/compose.yaml:5:19: warning: DB_PASSWORD" + inService},
		{".env that a secret replaces", fixture{files: one("    command: x\n").file("a/.env", "DB_PASSWORD=laptop\n").files, secrets: map[string]string{"DB_PASSWORD": "v"}}.
			with(func(t *rules.Target) { t.Secrets = []rules.Secret{{"DB_PASSWORD", "x", true}} }), ""},
		{"env_file", one("    env_file: [{path: w.env}]\n").file("a/w.env", "A_TOKEN='canary'\nB_TOKEN=/x\nC_TOKEN=${HOME_OF:-x}\n# hunter PASSWORD=canary\n"),
			"a/w.env:1:1: warning: A_TOKEN has a literal value [plaintext-secret]"},
		{"file of a secret", fixture{files: stacks(plain+"    secrets: [A, B, C]\nsecrets:\n  A:\n    file: ./a.txt\n  B: {file: b.txt}\n  C: {file: ../../elsewhere.txt}\n  D: {file: /a.txt}\n").
			file("a/a.txt", "canary\n").file("a/b.txt", "changeme\n").files, secrets: map[string]string{"A": "v", "B": "v", "C": "v"}},
			"a/compose.yaml:8:5: warning: the file of secret A, stacks/a/a.txt, is tracked by Git [plaintext-secret]"},
		{"host.toml", env("DB_PASSWORD: $DB_PASSWORD").file("a/.env", "DB_PASSWORD=\n").with(func(t *rules.Target) {
			t.Env = []rules.Variable{{"DB_PASSWORD", "canary", compose.Position{File: "hosts/pi/host.toml", Line: 3, Column: 1}}}
		}), "hosts/pi/host.toml:3:1: warning: DB_PASSWORD has a literal value [plaintext-secret]"},
		{"accepted", one("    environment: {DB_PASSWORD: canary}\n    x-pistack: {accept: {plaintext-secret: the database is on loopback only}}\n"),
			"a/compose.yaml:5:19: warning: DB_PASSWORD" + inService + " accepted: the database is on loopback only"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := c.fixture.findings(t)
			if got := text(found); got != c.want {
				t.Errorf("findings:\n%s\nwant:\n%s", got, c.want)
			}
			for _, f := range found {
				if strings.Contains(f.Message+f.Fix, "canary") {
					t.Errorf("shows the value: %+v", f)
				}
			}
		})
	}
}
