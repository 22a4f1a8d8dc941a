# What this flake gives to others: modules, each of which works alone, and mkFleet, which makes the
# NixOS configurations of a fleet repository with them.
#
# Nothing here depends on a commit: an unrelated edit must leave every host's closure as it is.
#
#   pistack   this flake, as another one sees it
{ pistack }:

let
  inherit (pistack.inputs.nixpkgs) lib;

  # The pisec of a device is cross-compiled by the Go of the machine that builds, because a Raspberry
  # Pi, or an emulator of one, would take minutes for it.
  pisecFor =
    builder: system: fix:
    pistack.packages.${builder}."pisec-${system}"
      or (throw "nothing is built on ${builtins.toJSON builder} for ${system}: ${fix}");

  # The runtime, with a pisec that builderOf, a function of pkgs, says where to build. The key makes
  # it the same module wherever it is imported again.
  runtime =
    { builderOf, fix }:
    { lib, pkgs, ... }:
    let
      builder = builderOf pkgs;
      system = pkgs.stdenv.hostPlatform.system;
    in
    {
      key = "pistack#nixosModules.pistack";
      _file = ./pistack.nix;
      imports = [ ./pistack.nix ];
      pistack.package = lib.mkDefault (pisecFor builder system fix);
      pistack.builderPackage = lib.mkDefault pistack.packages.${builder}.pisec;
    };

  common = ./common.nix;
  docker = ./docker.nix;
  networking = ./networking.nix;
  base = [
    common
    docker
    networking
  ];
in
{
  nixosModules = {
    inherit common docker networking;

    # In somebody's own configuration: what builds the rest of it builds pisec.
    pistack = runtime {
      builderOf = pkgs: pkgs.stdenv.buildPlatform.system;
      fix = "set pistack.package and pistack.builderPackage";
    };

    default.imports = base ++ [ pistack.nixosModules.pistack ];

    # The boards of a fleet, for machines without one.
    board-generic-x86_64 = ./boards/generic-x86_64.nix;
    board-rpi-zero2 = ./boards/rpi-zero2.nix;
    board-rpi3 = ./boards/rpi3.nix;
    board-rpi4 = ./boards/rpi4.nix;
    board-rpi5 =
      { lib, ... }:
      import ./boards/rpi5.nix {
        inherit lib;
        inherit (pistack.inputs) nixos-hardware;
      };
  };

  # The nixosConfigurations of a fleet: <host> and <host>-sd for every host.
  mkFleet =
    {
      # the fleet's root, the folder of its fleet.toml
      root,
      # the inputs of the fleet's flake, which its modules get as the argument inputs; nixpkgs and
      # nixos-hardware are pistack's where there is none
      inputs ? { },
      # modules that every host has, besides pistack's
      modules ? [ ],
    }:
    let
      settings = builtins.fromTOML (builtins.readFile (root + "/fleet.toml"));

      # Evaluation is pure: it cannot ask which machine will build. So the fleet says it once, and every
      # host has the same closure whoever evaluates it.
      buildSystem = settings.build_system or "x86_64-linux";

      # Who may log in, one public key a line. A file of comments alone must not count as a key: NixOS
      # would build a host that nobody can log in to.
      keysFile = root + "/authorized_keys";
      isKey = line: line != "" && !lib.hasPrefix "#" line;
      keys = lib.optionals (builtins.pathExists keysFile) (
        lib.filter isKey (map lib.trim (lib.splitString "\n" (builtins.readFile keysFile)))
      );

      # Binary caches besides the public one.
      cache = settings.cache or { };
    in
    import ./hosts.nix {
      inherit root;
      inherit (pistack.inputs // inputs) nixpkgs nixos-hardware;
      specialArgs = { inherit inputs; };
      modules = [
        {
          imports = base ++ [
            (runtime {
              builderOf = _: buildSystem;
              fix = "set build_system in fleet.toml to one of ${lib.concatStringsSep ", " (builtins.attrNames pistack.packages)}";
            })
          ];
        }
        (import ./logins.nix keys)
        {
          nix.settings = {
            substituters = cache.urls or [ ];
            trusted-public-keys = cache.keys or [ ];
          };
        }
      ]
      ++ modules;
    };
}
