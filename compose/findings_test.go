package compose_test

import (
	"strings"
	"testing"

	"pistack/compose"
)

// web begins a compose.yaml with a service of two lines; what follows starts
// on line 4.
const web = "services:\n  web:\n    image: x\n"

var secrets = map[string]string{"KEY": "v1", "OTHER": "v2"}

const inEnvironment = " is in the environment of service web as %: it shows in docker inspect and in Docker's files on the device's disk [secret-in-environment]"

func inEnv(variable string) string { return strings.ReplaceAll(inEnvironment, "%", variable) }

// TestFindings holds every finding to its text and its exact place.
func TestFindings(t *testing.T) {
	for _, c := range []struct {
		name  string
		stack stack
		want  string // lines; empty for none
	}{
		// Variables.
		{"undefined variable", stack{files: one("services:\n  web:\n    image: x:${TAG}\n")},
			"compose.yaml:3:12: error: variable TAG is not defined [undefined-variable]"},
		{"undefined without braces", stack{files: one("services:\n  web:\n    image: x:$TAG\n")},
			"compose.yaml:3:12: error: variable TAG is not defined [undefined-variable]"},
		{"undefined, required", stack{files: one("services:\n  web:\n    image: x${TAG:?say which}\n")},
			"compose.yaml:3:12: error: variable TAG is not defined: say which [undefined-variable]"},
		{"empty, required", stack{files: one("services:\n  web:\n    image: x${TAG:?say which}\n"), env: map[string]string{"TAG": ""}},
			"compose.yaml:3:5: error: error while interpolating services.web.image: required variable TAG is missing a value: say which [invalid-compose]"},
		{"default of an undefined one is undefined", stack{files: one("services:\n  web:\n    image: ${A:-${B}}\n")},
			"compose.yaml:3:12: error: variable B is not defined [undefined-variable]"},
		{"default does not matter", stack{files: one("services:\n  web:\n    image: ${A:-${B}}\n"), env: map[string]string{"A": "x"}}, ""},
		{"default matters when empty", stack{files: one("services:\n  web:\n    image: x${A:-${B}}${A-${C}}\n"), env: map[string]string{"A": ""}},
			"compose.yaml:3:12: error: variable B is not defined [undefined-variable]"},
		{"three levels", stack{files: one("services:\n  web:\n    image: ${A:-${B-${C:-x}}}\n")}, ""},
		{"empty default", stack{files: one("services:\n  web:\n    image: x${A-}${B:-}${C+}${D:+}\n")}, ""},
		{"alternative of a defined one", stack{files: one("services:\n  web:\n    image: x${A:+${B}}${C+${D}}\n"), env: map[string]string{"A": "1"}},
			"compose.yaml:3:12: error: variable B is not defined [undefined-variable]"},
		{"with and without a default", stack{files: one("services:\n  web:\n    image: ${A}-${A:-y}\n")},
			"compose.yaml:3:12: error: variable A is not defined [undefined-variable]"},
		{"escaped", stack{files: one(web + "    command: echo $$HOME $${X} $$\n")}, ""},
		{"in an override file", stack{files: map[string]string{"compose.yaml": web, "compose.pi.yaml": "services:\n  web:\n    command: [a, \"${B}\"]\n"}},
			"compose.pi.yaml:3:18: error: variable B is not defined [undefined-variable]"},
		{"override of another host", stack{files: map[string]string{"compose.yaml": web, "compose.pi2.yaml": "services:\n  web:\n    image: ${B}\n"}}, ""},
		{"environment without a value, list", stack{files: one(web + "    environment:\n      - NAME\n")},
			"compose.yaml:5:9: error: variable NAME is not defined [undefined-variable]"},
		{"environment without a value, mapping", stack{files: one(web + "    environment:\n      NAME:\n")},
			"compose.yaml:5:7: error: variable NAME is not defined [undefined-variable]"},
		{"environment without a value, defined", stack{files: one(web + "    environment:\n      - NAME\n"), env: map[string]string{"NAME": "x"}}, ""},
		{"config from an undefined variable", stack{files: one(web + "    configs: [c]\nconfigs:\n  c:\n    environment: NAME\n")},
			"compose.yaml:7:5: error: variable NAME is not defined [undefined-variable]"},
		{"same variable twice on a line", stack{files: one("services:\n  web:\n    image: ${A}${A}\n")},
			"compose.yaml:3:12: error: variable A is not defined [undefined-variable]"},
		{"project name", stack{files: one("services:\n  web:\n    image: x-${COMPOSE_PROJECT_NAME}\n")}, ""},
		{"not a variable", stack{files: one("services:\n  web:\n    image: x${\n")},
			"compose.yaml:3:5: error: invalid interpolation format for services.web.image. You may need to escape any $ with another $. x${ [invalid-compose]"},

		// What Docker refuses when it makes the container.
		{"image with a space", stack{files: one("services:\n  web:\n    image: \"Foo Bar\"\n")},
			`compose.yaml:3:5: error: image "Foo Bar" of service web is not the name of an image [invalid-compose]`},
		{"image in upper case", stack{files: one("services:\n  web:\n    image: App:1\n")},
			`compose.yaml:3:5: error: image "App:1" of service web is not the name of an image [invalid-compose]`},
		{"image with an escape sequence", stack{files: one("services:\n  web:\n    image: \"a\\e[31m\"\n")},
			`compose.yaml:3:5: error: image "a\x1b[31m" of service web is not the name of an image [invalid-compose]`},
		{"digest of three digits", stack{files: one("services:\n  web:\n    image: a/b@sha256:abc\n")},
			`compose.yaml:3:5: error: image "a/b@sha256:abc" of service web is not the name of an image [invalid-compose]`},
		{"digest of 40 digits", stack{files: one("services:\n  web:\n    image: a/b@sha256:" + strings.Repeat("a", 40) + "\n")},
			`compose.yaml:3:5: error: image "a/b@sha256:` + strings.Repeat("a", 40) + `" of service web is not the name of an image [invalid-compose]`},
		{"good images", stack{files: one("services:\n  a:\n    image: localhost:5000/a_b/c--d:v1.2_3@sha256:" + strings.Repeat("a", 64) + "\n  b:\n    image: sha256:" + strings.Repeat("b", 64) +
			"\n    pull_policy: never\n  c:\n    image: \"[::1]:5000/a\"\n  d:\n    image: a@sha512:" + strings.Repeat("a", 128) + "\n")}, ""},
		{"name of an image that is built", stack{files: map[string]string{"compose.yaml": "services:\n  web:\n    image: Mine\n    build: .\n", "Dockerfile": "FROM x\n"}}, ""},
		{"image that no profile enables", stack{files: one(web + "  dev:\n    image: A B\n    profiles: [dev]\n")}, ""},
		{"restart policy", stack{files: one(web + "    restart: unless_stopped\n")},
			`compose.yaml:4:5: error: restart of service web is "unless_stopped", which is no restart policy (did you mean "unless-stopped"?) [invalid-compose]`},
		{"restart with a number", stack{files: one(web + "    restart: always:3\n")},
			`compose.yaml:4:5: error: restart of service web is "always", and only on-failure takes a number [invalid-compose]`},
		{"restart with a negative number", stack{files: one(web + "    restart: on-failure:-1\n")},
			`compose.yaml:4:5: error: restart of service web is "on-failure:-1", and a container cannot be restarted -1 times [invalid-compose]`},
		{"restart policy of deploy", stack{files: one(web + "    deploy:\n      restart_policy:\n        condition: allways\n")},
			`compose.yaml:6:9: error: deploy.restart_policy.condition of service web is "allways", which is no restart policy (did you mean "always"?) [invalid-compose]`},
		{"good restart policies", stack{files: one("services:\n  a:\n    image: x\n    restart: \"no\"\n  b:\n    image: x\n    restart: on-failure:3\n  c:\n    image: x\n    restart: any\n  d:\n    image: x\n    restart: \"\"\n" +
			"  e:\n    image: x\n    restart: unless-stopped\n    deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}\n")}, ""},

		// Secrets.
		{"missing secret", stack{files: one(web + "    secrets: [KEY]\nsecrets:\n  KEY:\n    environment: KEY\n")},
			"compose.yaml:4:15: error: secret KEY of service web was not added for pi [missing-secret]"},
		{"missing secret, long syntax", stack{files: one(web + "    secrets:\n      - source: KEY\n        target: k\nsecrets:\n  KEY:\n    external: true\n")},
			"compose.yaml:5:9: error: secret KEY of service web was not added for pi [missing-secret]"},
		{"secret in image", stack{files: one("services:\n  web:\n    image: x:${KEY}\n"), secrets: secrets},
			"compose.yaml:3:5: error: secret KEY would be readable in services.web.image [secret-leak]"},
		{"secret in command", stack{files: one(web + "    command: [a, \"${KEY}\"]\n"), secrets: secrets},
			"compose.yaml:4:18: error: secret KEY would be readable in services.web.command.1 [secret-leak]"},
		{"secret in label", stack{files: one(web + "    labels:\n      a: ${KEY}\n"), secrets: secrets},
			"compose.yaml:5:7: error: secret KEY would be readable in services.web.labels.a [secret-leak]"},
		{"secret in label, list", stack{files: one(web + "    labels:\n      - b=1\n      - a=${KEY}\n"), secrets: secrets},
			"compose.yaml:6:9: error: secret KEY would be readable in services.web.labels.a [secret-leak]"},
		{"secret in healthcheck", stack{files: one(web + "    healthcheck:\n      test: curl ${KEY}\n"), secrets: secrets},
			"compose.yaml:5:7: error: secret KEY would be readable in services.web.healthcheck.test [secret-leak]"},
		{"secret as a default", stack{files: one(web + "    command: x ${A:-${KEY}}\n"), secrets: secrets},
			"compose.yaml:4:5: error: secret KEY would be readable in services.web.command [secret-leak]"},
		{"secret in config content", stack{files: one(web + "    configs: [c]\nconfigs:\n  c:\n    content: a ${KEY}\n"), secrets: secrets},
			"compose.yaml:7:5: error: secret KEY would be readable in configs.c.content [secret-leak]"},
		{"secret as config", stack{files: one(web + "    configs: [c]\nconfigs:\n  c:\n    environment: KEY\n"), secrets: secrets},
			"compose.yaml:6:3: error: secret KEY would be readable in configs.c.content [secret-leak]"},
		{"secret as variable name", stack{files: one(web + "    environment:\n      - ${KEY}=1\n"), secrets: secrets},
			"compose.yaml:4:5: error: secret KEY would be readable in services.web.environment [secret-leak]"},
		{"secret where a number belongs", stack{files: one(web + "    init: ${KEY}\n"), secrets: secrets},
			"compose.yaml:4:5: error: error while interpolating services.web.init: failed to cast to expected type: invalid boolean: (secret KEY) [invalid-compose]"},
		{"secret in an unused extension", stack{files: one("x-a: ${KEY}\n" + web), secrets: secrets}, ""},
		{"secret in environment", stack{files: one(web + "    environment:\n      A: a-${KEY}-${OTHER}\n"), secrets: secrets},
			"compose.yaml:5:7: warning: secret KEY" + inEnv("A") + "\ncompose.yaml:5:7: warning: secret OTHER" + inEnv("A")},
		{"secret in environment, list", stack{files: one(web + "    environment:\n      - A=${KEY}\n      - OTHER\n"), secrets: secrets},
			"compose.yaml:5:9: warning: secret KEY" + inEnv("A") + "\ncompose.yaml:6:9: warning: secret OTHER" + inEnv("OTHER")},
		{"secret in environment, anchor", stack{files: one("x-env: &env\n  A: ${KEY}\n" + web + "    environment: *env\n"), secrets: secrets},
			"compose.yaml:2:3: warning: secret KEY" + inEnv("A")},
		{"secret in environment, merge key", stack{files: one("x-env: &env\n  A: ${KEY}\n" + web + "    environment:\n      <<: *env\n"), secrets: secrets},
			"compose.yaml:6:5: warning: secret KEY" + inEnv("A")},
		{"secret in environment, override", stack{files: map[string]string{"compose.yaml": web, "compose.pi.yaml": "services:\n  web:\n    environment: {A: \"${KEY}\"}\n"}, secrets: secrets},
			"compose.pi.yaml:3:19: warning: secret KEY" + inEnv("A")},
		{"owner is a name", stack{files: one(web + "    secrets:\n      - source: KEY\n        uid: www\nsecrets: {KEY: {environment: KEY}}\n"), secrets: secrets},
			`compose.yaml:5:9: error: secret KEY of service web: uid "www" is not a number: names differ between image and host [secret-owner]`},
		{"special mode", stack{files: one(web + "    secrets:\n      - source: KEY\n        mode: 04755\nsecrets: {KEY: {environment: KEY}}\n"), secrets: secrets},
			"compose.yaml:5:9: error: secret KEY of service web: mode 4755 has more than permission bits [secret-owner]"},
		{"two owners", stack{files: one("services:\n  a:\n    image: x\n    secrets:\n      - source: KEY\n        gid: \"10\"\n  b:\n    image: x\n    secrets: [KEY]\nsecrets: {KEY: {environment: KEY}}\n"), secrets: secrets},
			"compose.yaml:9:15: error: secret KEY has another uid, gid or mode in service b than elsewhere in this stack [secret-owner]"},
		{"same owner twice", stack{files: one("services:\n  a:\n    image: x\n    secrets: [{source: KEY, uid: \"0\", mode: 0444}]\n  b:\n    image: x\n    secrets: [KEY]\nsecrets: {KEY: {environment: KEY}}\n"), secrets: secrets}, ""},

		// Compose itself.
		{"unknown keys", stack{files: one("services:\n  web:\n    imgae: x\n    commnad: y\n")},
			"compose.yaml:3:5: error: unknown key \"imgae\" in services.web (did you mean \"image\"?) [invalid-compose]\n" +
				"compose.yaml:4:5: error: unknown key \"commnad\" in services.web (did you mean \"command\"?) [invalid-compose]"},
		{"unknown top-level keys", stack{files: one(web + "volums: {}\nzzz: {}\n")},
			"compose.yaml:4:1: error: unknown key \"volums\" in the file (did you mean \"volumes\"?) [invalid-compose]\n" +
				"compose.yaml:5:1: error: unknown key \"zzz\" in the file [invalid-compose]"},
		{"unknown key deep down", stack{files: one(web + "    deploy:\n      resources: {limts: {}}\n")},
			`compose.yaml:5:19: error: unknown key "limts" in services.web.deploy.resources (did you mean "limits"?) [invalid-compose]`},
		{"unknown key in an override", stack{files: map[string]string{"compose.yaml": web, "compose.pi.yaml": "services:\n  web:\n    imgae: y\n"}},
			`compose.pi.yaml:3:5: error: unknown key "imgae" in services.web (did you mean "image"?) [invalid-compose]`},
		{"duplicate key", stack{files: one(web + "    image: y\n")},
			`compose.yaml:4:5: error: mapping key "image" already defined at line 3 [syntax]`},
		{"duplicate service", stack{files: one(web + "  web:\n    image: y\n")},
			`compose.yaml:4:3: error: mapping key "web" already defined at line 2 [syntax]`},
		{"duplicate key in an override", stack{files: map[string]string{"compose.yaml": web, "compose.pi.yaml": "services: {}\nservices: {}\n"}},
			`compose.pi.yaml:2:1: error: mapping key "services" already defined at line 1 [syntax]`},
		{"unclosed list", stack{files: one("services:\n  web:\n    image: [x\n")},
			"compose.yaml:2:12: error: did not find expected ',' or ']' while parsing a flow sequence [syntax]"},
		{"tab", stack{files: one("services:\n\tweb:\n")},
			"compose.yaml:2:1: error: found character that cannot start any token while scanning for the next token [syntax]"},
		{"two colons", stack{files: one("a: b: c\n")},
			"compose.yaml:1:5: error: mapping values are not allowed in this context [syntax]"},
		{"syntax in an override", stack{files: map[string]string{"compose.yaml": web, "compose.pi.yaml": "services: *a\n"}},
			"compose.pi.yaml:1:12: error: unknown anchor 'a' referenced [syntax]"},
		{"wrong type", stack{files: one(web + "    ports: 80\n")},
			"compose.yaml:4:5: error: services.web.ports must be a array [invalid-compose]"},
		{"wrong types: the deeper one", stack{files: one(web + "    restart: 3\n    ports: 80\n")},
			"compose.yaml:4:5: error: services.web.restart must be a string [invalid-compose]"},
		{"not a boolean", stack{files: one(web + "    privileged: maybe\n")},
			"compose.yaml:4:5: error: error while interpolating services.web.privileged: failed to cast to expected type: invalid boolean: maybe [invalid-compose]"},
		{"two values that do not fit", stack{files: one(web + "    privileged: maybe\n    init: perhaps\n")},
			"compose.yaml:4:5: error: error while interpolating services.web.privileged: failed to cast to expected type: invalid boolean: maybe [invalid-compose]\n" +
				"compose.yaml:5:5: error: error while interpolating services.web.init: failed to cast to expected type: invalid boolean: perhaps [invalid-compose]"},
		{"empty file", stack{files: one("")}, "compose.yaml:1:1: error: empty compose file [invalid-compose]"},
		{"not a mapping", stack{files: one("hello\n")}, "compose.yaml:1:1: error: top-level object must be a mapping [invalid-compose]"},
		{"service without content", stack{files: one("services:\n  web:\n")},
			"compose.yaml:2:3: error: services.web must be a mapping [invalid-compose]"},
		{"service name with a space", stack{files: one("services:\n  \"we b\":\n    image: x\n")},
			`compose.yaml:2:3: error: unknown key "we b" in services [invalid-compose]`},
		{"no image", stack{files: one("services:\n  web:\n    command: x\n")},
			`compose.yaml:2:3: error: service "web" has neither an image nor a build context specified [invalid-compose]`},
		{"undefined dependency", stack{files: one(web + "    depends_on: [db]\n")},
			`compose.yaml:4:18: error: service "web" depends on undefined service "db" [invalid-compose]`},
		{"undefined volume", stack{files: one(web + "    volumes: [\"data:/data\"]\n")},
			`compose.yaml:4:15: error: service "web" refers to undefined volume data [invalid-compose]`},
		{"undefined secret", stack{files: one(web + "    secrets: [NOPE]\n")},
			`compose.yaml:4:15: error: service "web" refers to undefined secret NOPE [invalid-compose]`},

		// Unsupported.
		{"extends here", stack{files: one(web + "  b:\n    extends: web\n")}, ""},
		{"build", stack{files: one("services:\n  web:\n    build: .\n")}, ""},
		{"build and image", stack{files: one(web + "    build: .\n")}, ""},
		{"build for the laptop only", stack{files: map[string]string{"compose.yaml": "services:\n  web:\n    build: .\n", "compose.pi.yaml": web + "    build: !reset null\n"}}, ""},
		{"label_file", stack{files: map[string]string{"compose.yaml": web + "    label_file: l\n", "l": "A=$NOT_INTERPOLATED\n"}}, ""},
		{"label_file that is not there", stack{files: one(web + "    label_file: l\n")},
			"compose.yaml:4:5: error: stacks/s/l is not tracked by Git [untracked-file]"},
		{"absolute label_file", stack{files: one(web + "    label_file:\n      - /etc/l\n")},
			"compose.yaml:5:9: error: label_file /etc/l is not a file of the repository [path]"},
		{"jobs", stack{files: one(web + "jobs:\n  j:\n    image: x\n    triggers: {manual: true}\n")},
			"compose.yaml:4:1: error: jobs needs Docker Compose 5.6.0, and devices have 5.4.0 [too-new]"},
		{"attributes that devices do not know", stack{files: one(web + "    umask: \"0022\"\n    pre_start:\n      - command: x\n        cap_add: [A]\n    networks:\n      default:\n        use_service_name_alias: true\n")},
			"compose.yaml:4:5: error: services.web.umask needs Docker Compose 5.7.0, and devices have 5.4.0 [too-new]\n" +
				"compose.yaml:7:9: error: services.web.pre_start.0.cap_add needs Docker Compose 5.6.0, and devices have 5.4.0 [too-new]\n" +
				"compose.yaml:10:9: error: services.web.networks.default.use_service_name_alias needs Docker Compose 5.7.0, and devices have 5.4.0 [too-new]"},
		{"one that an override takes away", stack{files: map[string]string{"compose.yaml": web + "    umask: 1\n", "compose.pi.yaml": "services:\n  web:\n    umask: !reset null\n"}},
			"compose.yaml:4:5: error: services.web.umask needs Docker Compose 5.7.0, and devices have 5.4.0 [too-new]"},
		{"hooks", stack{files: one(web + "    environment: [T=$KEY]\n    pre_start:\n      - command: x\n        environment: [A=$KEY]\n    post_start:\n      - command: x\n        environment:\n          B: $KEY\n"), secrets: secrets},
			"compose.yaml:4:19: warning: secret KEY" + inEnv("T") + "\ncompose.yaml:7:23: warning: secret KEY" + inEnv("A") + "\ncompose.yaml:11:11: warning: secret KEY" + inEnv("B")},
		{"second document", stack{files: one(web + "---\nservices:\n  web:\n    command: $NOPE\n")},
			"compose.yaml:7:14: error: variable NOPE is not defined [undefined-variable]"},

		{"a document that resets itself", stack{files: one(web + "--- !reset\n")},
			"compose.yaml:4:5: error: !reset takes away a key's value, and not a whole document [syntax]"},

		// Files.
		{"no compose.yaml", stack{files: map[string]string{"docker-compose.yml": web}},
			"compose.yaml: error: file does not exist [unreadable]"},
		{"large compose.yaml", stack{files: one("#" + strings.Repeat("x", 1<<20))},
			"compose.yaml: error: is larger than 1 MiB [unreadable]"},
		{".env refers to nothing", stack{files: map[string]string{"compose.yaml": web, ".env": "# ${NO}\nA=1\nB=${A}${C:-x}'\nD='$literal'\nE=pass$word\n"}},
			".env:5:1: error: variable word is not defined in this file [undefined-variable]"},
		{".env refers to a secret", stack{files: map[string]string{"compose.yaml": web, ".env": "A=${KEY}\n"}, secrets: secrets},
			".env:1:1: error: variable KEY is not defined in this file [undefined-variable]"},
		{"broken .env", stack{files: map[string]string{"compose.yaml": web, ".env": "hunter2 is my secret\n"}},
			".env:1:1: error: a name has a space in it [syntax]"},
		{"outside", stack{files: one(web + "    volumes:\n      - ../x:/a\n      - ./d/../../z:/b\n      - type: bind\n        source: ..\n        target: /c\n")},
			"compose.yaml:5:9: error: stacks/x is mounted, and Git neither tracks nor ignores it [untracked-file]\n" +
				"compose.yaml:6:9: error: stacks/z is mounted, and Git neither tracks nor ignores it [untracked-file]\n" +
				"compose.yaml:7:9: error: service web uses .., which is the stack's folder stacks/s/ or one above it [path]"},
		{"whole folder", stack{files: one(web + "    volumes: [\".:/a\"]\n")},
			"compose.yaml:4:15: error: service web uses ., which is the stack's folder stacks/s/ or one above it [path]"},
		{"home", stack{files: one(web + "    volumes: [\"~/x:/a\"]\n")},
			"compose.yaml:4:15: error: service web mounts ~/x: the device has no such home folder [path]"},
		{"path in the base, override has volumes too", stack{files: map[string]string{"compose.yaml": web + "    volumes:\n      - ../../../a:/a\n", "compose.pi.yaml": "services:\n  web:\n    volumes:\n      - ./b:/b\n"}, ignored: []string{"b"}},
			"compose.yaml:5:9: error: service web uses ../../../a, which is outside the repository [path]"},
		{"path in the override", stack{files: map[string]string{"compose.yaml": web + "    volumes:\n      - ./a:/a\n", "compose.pi.yaml": "services:\n  web:\n    volumes:\n      - ../../../b:/b\n"}, ignored: []string{"a"}},
			"compose.pi.yaml:4:9: error: service web uses ../../../b, which is outside the repository [path]"},
		{"volume of a relative path", stack{files: one(web + "    volumes: [\"v:/v\"]\nvolumes:\n  v:\n    driver: local\n    driver_opts: {type: none, o: bind, device: ./data}\n")},
			"compose.yaml:8:40: error: volume v is the relative path ./data, which is read-only configuration on the device [path]"},
		{"home in an included file", stack{files: map[string]string{"compose.yaml": "include: [b.yaml]\n" + web, "b.yaml": "x-v: &v [\"~/a:/a\"]\nx-b: &b\n  build:\n    additional_contexts: {a: $DIR}\n    ssh: [default=~/id]\nservices:\n  b:\n    <<: *b\n    image: x\n    volumes: *v\n"}, env: map[string]string{"DIR": "~/x"}},
			"b.yaml:1:10: error: a path begins with ~: the device has no such home folder [path]\n" +
				"b.yaml:4:30: error: a path begins with ~: the device has no such home folder [path]\n" +
				"b.yaml:5:11: error: a path begins with ~: the device has no such home folder [path]"},
		{"path by a variable", stack{files: one(web + "    volumes:\n      - /x:/y\n      - ${DIR}:/a\n"), env: map[string]string{"DIR": "../../../a"}},
			"compose.yaml:6:9: error: service web uses ../../../a, which is outside the repository [path]"},
		{"untracked mount", stack{files: map[string]string{"compose.yaml": web + "    volumes:\n      - ./conf:/conf\n", "conf/a": "1"}, untracked: []string{"conf/a"}},
			"compose.yaml:5:9: error: stacks/s/conf is mounted, and Git neither tracks nor ignores it [untracked-file]"},
		{"mistyped mount", stack{files: map[string]string{"compose.yaml": web + "    volumes:\n      - ./promethues.yml:/p.yml\n", "prometheus.yml": "1"}},
			"compose.yaml:5:9: error: stacks/s/promethues.yml is mounted, and Git neither tracks nor ignores it (did you mean \"prometheus.yml\"?) [untracked-file]"},
		{".env that Git does not track", stack{files: map[string]string{"compose.yaml": web, ".env": "A=1\n"}, ignored: []string{".env"}},
			".env: error: is not tracked by Git, so the device would not get it [untracked-file]"},
		{"ignored mount", stack{files: map[string]string{"compose.yaml": web + "    volumes:\n      - ./data:/data\n", "data/a": "1"}, ignored: []string{"data/a"}}, ""},
		{"tracked and untracked in one folder", stack{files: map[string]string{"compose.yaml": web + "    volumes:\n      - ./conf:/conf\n", "conf/a": "1", "conf/b": "1"}, untracked: []string{"conf/b"}}, ""},
		{"untracked config", stack{files: map[string]string{"compose.yaml": web + "    configs: [c]\nconfigs:\n  c:\n    file: ./c.conf\n", "c.conf": "1"}, untracked: []string{"c.conf"}},
			"compose.yaml:6:3: error: stacks/s/c.conf is not tracked by Git [untracked-file]"},
		{"config that is not there", stack{files: one(web + "    configs: [c]\nconfigs:\n  c:\n    file: c.conf\n")},
			"compose.yaml:6:3: error: stacks/s/c.conf is not tracked by Git [untracked-file]"},
		{"env_file that is not there", stack{files: one(web + "    env_file:\n      - a.env\n")},
			"compose.yaml:5:9: error: stacks/s/a.env is not tracked by Git [untracked-file]"},
		{"optional env_file that is not there", stack{files: one(web + "    env_file:\n      - path: a.env\n        required: false\n")}, ""},
		{"absolute env_file", stack{files: one(web + "    env_file: /etc/a.env\n")},
			"compose.yaml:4:5: error: env_file /etc/a.env is not a file of the repository [path]"},
		{"empty env_file", stack{files: one(web + "    env_file: \"\"\n")},
			"compose.yaml:4:5: error: service web has an empty path here [path]"},
		{"large env_file", stack{files: map[string]string{"compose.yaml": web + "    env_file: a.env\n", "a.env": "#" + strings.Repeat("x", 1<<20)}},
			"a.env: error: is larger than 1 MiB [unreadable]"},
		{"env_file with an undefined variable", stack{files: map[string]string{"compose.yaml": web + "    env_file: a.env\n", "a.env": "# ${NOT_THIS}\nA=1\nB=${NOPE}\n"}},
			"a.env:3:1: error: variable NOPE is not defined [undefined-variable]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			loaded, findings := c.stack.load(t)
			if got := strings.TrimSuffix(text(findings), "\n"); got != c.want {
				t.Errorf("findings:\n%s\nwant:\n%s", got, c.want)
			}
			if (loaded == nil) != compose.HasErrors(findings) {
				t.Errorf("stack is %v, but the findings have errors: %t", loaded, compose.HasErrors(findings))
			}
			for _, f := range findings {
				if strings.ContainsAny(f.Message+f.Fix, "⟦\n") {
					t.Errorf("finding shows a token or a line break: %q", f.Message)
				}
			}
		})
	}
}

func TestFindingFixes(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"missing secret", web + "    secrets: [KEY]\nsecrets: {KEY: {environment: KEY}}\n", "pisec add pi KEY"},
		{"undefined variable", web + "    command: $NAME\n", "if it is a secret: pisec add pi NAME; if not: set it in stacks/s/.env or under [env] in hosts/pi/host.toml"},
		{"large", "#" + strings.Repeat("x", 1<<20), "split it, or mount what is large as a file of its own"},
		{"untracked config", web + "    configs: [c]\nconfigs: {c: {file: c.conf}}\n", "git add stacks/s/c.conf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, findings := stack{files: one(c.content)}.load(t)
			if len(findings) != 1 || findings[0].Fix != c.want {
				t.Errorf("got %+v, want one finding with the fix %q", findings, c.want)
			}
		})
	}
}

func TestSortFindings(t *testing.T) {
	a := compose.Finding{File: "a", Line: 2, Column: 1, Message: "x"}
	b := compose.Finding{File: "a", Line: 10, Column: 1, Message: "x"}
	c := compose.Finding{File: "b", Message: "x"}
	sorted := compose.SortFindings([]compose.Finding{c, b, a, b, c})
	if want := []compose.Finding{a, b, c}; len(sorted) != 3 || sorted[0] != want[0] || sorted[1] != want[1] || sorted[2] != want[2] {
		t.Errorf("sorted: %v", sorted)
	}
}
