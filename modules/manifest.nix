# The manifest of `pisec install`: what a host's secrets are and where each of them goes.
#
# A pure function of option values that needs neither nixpkgs nor its lib, so that whatever reads
# hosts/<host>/generated/default.nix can make the same manifest. It returns an attribute set; print
# it with builtins.toJSON. Lists are sorted by name or path, whatever the order of the arguments.
#
#   host        name of the host, which every secret's header must name
#   hostKeys    private SSH host keys on the device, tried in this order
#   registries  as in the option pistack.registries
#   secrets     as in the option pistack.secrets
#   stacks      as in the option pistack.stacks; only envSecrets and secrets are read
{
  host,
  hostKeys ? [ "/etc/ssh/ssh_host_ed25519_key" ],
  registries ? { },
  secrets ? { },
  stacks ? { },
}:

let
  byKey = key: builtins.sort (a: b: a.${key} < b.${key});

  # Only this one file reaches the store, under a name that depends on nothing but the secret's.
  # A string is a store path already.
  storeFile =
    name: file:
    if builtins.isPath file then
      builtins.path {
        path = file;
        name = "${name}.age";
      }
    else
      "${file}";

  entry = defaultMode: path: name: options: {
    secret = name;
    inherit path;
    mode = options.mode or defaultMode;
    uid = options.uid or 0;
    gid = options.gid or 0;
  };

  hostFiles = map (name: entry "0400" "secrets/${name}" name secrets.${name}) (
    builtins.attrNames secrets
  );

  stackFiles =
    stack:
    let
      wanted = stacks.${stack}.secrets or { };
    in
    map (name: entry "0444" "stacks/${stack}/${name}" name wanted.${name}) (builtins.attrNames wanted);

  envSecrets = stack: stacks.${stack}.envSecrets or [ ];
in
{
  schema = 2;
  inherit host hostKeys;
  root = "/run/pistack";

  secrets = map (name: {
    inherit name;
    inherit (secrets.${name}) version;
    file = storeFile name secrets.${name}.file;
  }) (builtins.attrNames secrets);

  files = byKey "path" (hostFiles ++ builtins.concatMap stackFiles (builtins.attrNames stacks));

  envFiles = map (stack: {
    path = "env/${stack}.env";
    secrets = builtins.sort builtins.lessThan (envSecrets stack);
  }) (builtins.filter (stack: envSecrets stack != [ ]) (builtins.attrNames stacks));

  logins = map (registry: {
    inherit registry;
    secret = registries.${registry};
  }) (builtins.attrNames registries);
}
