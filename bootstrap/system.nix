# What the playbook asks of a fleet about one of its hosts.
#
#   fleet  where the fleet's flake is, as builtins.getFlake takes it
#   host   name of one of its nixosConfigurations
#
# The result has the system to boot first (toplevel), a Nix to install it with (nix), and what the
# machine must be like (facts).
{ fleet, host }:

let
  flake = builtins.getFlake fleet;
  hosts = flake.nixosConfigurations;
  configuration =
    hosts.${host}
      or (throw "${fleet} has no host ${host}: there are ${toString (builtins.attrNames hosts)}");
  inherit (configuration) config;

  root = config.fileSystems."/";
  label = builtins.match "/dev/disk/by-label/(.+)" root.device;

  lines = text: builtins.filter builtins.isString (builtins.split "\n" text);
  authorized = config.users.users.root.openssh.authorizedKeys;
  keys =
    authorized.keys ++ builtins.concatMap (file: lines (builtins.readFile file)) authorized.keyFiles;

  # Type and key, or not a key: comments of the file, options in front of a key.
  key = builtins.match "(ssh|ecdsa|sk-ssh|sk-ecdsa)[^ ]* ([A-Za-z0-9+/=]+)( .*)?";
  bodies = builtins.filter (body: body != null) (
    map (line: if key line == null then null else builtins.elemAt (key line) 1) keys
  );
in
{
  inherit ((configuration.extendModules { modules = [ ./lustrate.nix ]; }).config.system.build)
    toplevel
    ;
  nix = config.nix.package;

  facts = {
    inherit (builtins.fromTOML (builtins.readFile (flake.outPath + "/hosts/${host}/host.toml")))
      address
      ;
    inherit (config.nixpkgs.hostPlatform) system;
    inherit (root) device fsType;
    # "" where the root is not found by its label
    label = if label == null then "" else builtins.head label;
    # where GRUB goes; none where the host boots in another way
    disks = if config.boot.loader.grub.enable then config.boot.loader.grub.devices else [ ];
    # base64 of the keys that may log in as root
    keys = bodies;
  };
}
