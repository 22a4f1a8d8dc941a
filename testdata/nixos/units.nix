# What one host's configuration says about pistack, as plain data that a machine without Nix can use.
# README.md in this folder says which words stand for what.
config: lib:

let
  # Programs of the system, where Debian has them.
  programs = {
    "bash/bin/bash" = "/bin/sh";
    "docker/bin/docker" = "/usr/bin/docker";
    "nftables/bin/nft" = "/usr/sbin/nft";
    "systemd/bin/systemctl" = "/usr/bin/systemctl";
  };

  # Store paths of ours. Each changes with its content, so its name stands for it.
  ours = [
    "X-Restart-Triggers-pistack-[a-z0-9_-]+"
    "images.sh"
    "pisec"
    "pistack-firewall.nft"
    "pistack-manifest.json"
    "reconcile.sh"
  ];

  # "docker-29.6.0" and "pisec-aarch64-linux-0.1.0" are "docker" and "pisec".
  plainName =
    name:
    let
      targeted = builtins.match "(pisec)-[a-z0-9_]+-linux-[0-9].*" name;
      versioned = builtins.match "([a-z]+)-[0-9][0-9a-z.]*" name;
    in
    if targeted != null then
      lib.head targeted
    else if versioned != null then
      lib.head versioned
    else
      name;

  replaceStorePath =
    { name, rest }:
    let
      plain = plainName name;
      isOurs = lib.any (pattern: builtins.match pattern plain != null) ours;
    in
    if isOurs then
      "@${plain}@${rest}"
    else
      programs.${plain + rest}
        or (throw "testdata/nixos/units.nix: a unit names ${name}${rest}, for which this file has no rule");

  portable =
    text:
    lib.concatMapStrings (
      part:
      if lib.isString part then
        part
      else
        replaceStorePath {
          name = lib.elemAt part 0;
          rest = lib.elemAt part 1;
        }
    ) (builtins.split "/nix/store/[0-9a-z]{32}-([0-9A-Za-z+._?=-]+)([^\" \n]*)" text);

  isRecorded =
    name:
    lib.hasPrefix "pistack-" name
    || lib.elem name [
      "run-pistack.mount"
      "sysinit-reactivation.target"
    ];

  unit = value: {
    inherit (value) wantedBy requiredBy;
    text = portable (builtins.unsafeDiscardStringContext value.text);
  };
in
{
  system = config.nixpkgs.hostPlatform.system;
  units = lib.mapAttrs (_: unit) (lib.filterAttrs (name: _: isRecorded name) config.systemd.units);
  etc = lib.filter (lib.hasPrefix "pistack/") (builtins.attrNames config.environment.etc);
}
