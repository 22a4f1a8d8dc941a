package compose

import (
	"fmt"
	"path"
	"strings"
)

// fileVariant says how a well-known image takes a variable's value from a file.
type fileVariant struct {
	image  string // last part of the repository's name
	prefix string // of the variables that have a file variant
	suffix string // what makes the variable that names the file
	names  string // the very variables, with spaces; empty for all with the prefix
}

// fileVariants lists what the images' own documentation or entry point says.
func fileVariants() []fileVariant {
	const (
		postgres  = "POSTGRES_PASSWORD POSTGRES_USER POSTGRES_DB POSTGRES_INITDB_ARGS"
		mysql     = "MYSQL_ROOT_PASSWORD MYSQL_ROOT_HOST MYSQL_DATABASE MYSQL_USER MYSQL_PASSWORD"
		mariadb   = "MARIADB_ROOT_PASSWORD MARIADB_ROOT_PASSWORD_HASH MARIADB_ROOT_HOST MARIADB_DATABASE MARIADB_USER MARIADB_PASSWORD MARIADB_PASSWORD_HASH"
		nextcloud = "POSTGRES_DB POSTGRES_USER POSTGRES_PASSWORD MYSQL_DATABASE MYSQL_USER MYSQL_PASSWORD NEXTCLOUD_ADMIN_USER NEXTCLOUD_ADMIN_PASSWORD REDIS_HOST_PASSWORD SMTP_PASSWORD"
	)
	return []fileVariant{
		{image: "postgres", suffix: "_FILE", names: postgres},
		{image: "postgis", suffix: "_FILE", names: postgres},
		{image: "timescaledb", suffix: "_FILE", names: postgres},
		{image: "mysql", suffix: "_FILE", names: mysql},
		{image: "mariadb", suffix: "_FILE", names: mariadb + " " + mysql},
		{image: "mongo", suffix: "_FILE", names: "MONGO_INITDB_ROOT_USERNAME MONGO_INITDB_ROOT_PASSWORD"},
		{image: "wordpress", suffix: "_FILE", prefix: "WORDPRESS_"},
		{image: "nextcloud", suffix: "_FILE", names: nextcloud},
		{image: "grafana", suffix: "__FILE", prefix: "GF_"},
		{image: "grafana-oss", suffix: "__FILE", prefix: "GF_"},
		{image: "grafana-enterprise", suffix: "__FILE", prefix: "GF_"},
		{image: "gitea", suffix: "__FILE", prefix: "GITEA__"},
		{image: "minio", suffix: "_FILE", names: "MINIO_ROOT_USER MINIO_ROOT_PASSWORD"},
		{image: "vaultwarden", suffix: "_FILE", names: "ADMIN_TOKEN DATABASE_URL SMTP_PASSWORD SMTP_USERNAME"},
	}
}

// asFile says how to deliver a secret as a file instead of in a variable.
func asFile(image, variable, secret string) string {
	for _, v := range fileVariants() {
		if v.image == repositoryName(image) && v.knows(variable) {
			return fmt.Sprintf("this image reads a file: write %s%s: /run/secrets/%s, and list %s under secrets of the service", variable, v.suffix, secret, secret)
		}
	}
	return fmt.Sprintf("if the image knows %s_FILE or the like, deliver the secret as a Compose secret file", variable)
}

func (v fileVariant) knows(variable string) bool {
	if v.names == "" {
		return strings.HasPrefix(variable, v.prefix)
	}
	for name := range strings.FieldsSeq(v.names) {
		if name == variable {
			return true
		}
	}
	return false
}

// repositoryName is the last part of an image's name, without tag and digest.
func repositoryName(image string) string {
	name, _, _ := strings.Cut(image, "@")
	name, _, _ = strings.Cut(path.Base(name), ":")
	return name
}
