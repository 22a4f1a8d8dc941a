{
  description = "A fleet of Raspberry Pis and servers: NixOS below, Docker Compose above";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

    # Only files of it are imported, by the boards that need them.
    nixos-hardware = {
      url = "github:NixOS/nixos-hardware";
      flake = false;
    };
  };

  outputs =
    {
      self,
      nixpkgs,
      nixos-hardware,
    }:
    let
      inherit (nixpkgs) lib;

      fleet = builtins.fromTOML (builtins.readFile ./fleet.toml);

      # Where workstations are.
      systems = [
        "aarch64-darwin"
        "aarch64-linux"
        "x86_64-linux"
      ];

      # What devices are. Go builds for all of them on any of the above.
      deviceSystems = [
        "aarch64-linux"
        "x86_64-linux"
      ];

      eachSystem = make: lib.genAttrs systems (system: make nixpkgs.legacyPackages.${system});

      # The pisec of a device is cross-compiled by the Go of a workstation, because a Raspberry Pi, or
      # an emulator of one, would take minutes for it. Evaluation is pure: it cannot ask which machine
      # will build. So the fleet says it once, as build_system in fleet.toml, and every host has the
      # same closure whoever evaluates it.
      buildSystem = fleet.build_system or "x86_64-linux";
      devicePisec =
        system:
        self.packages.${buildSystem}."pisec-${system}"
          or (throw "fleet.toml: nothing is built on build_system ${builtins.toJSON buildSystem} for ${system}: use one of ${lib.concatStringsSep ", " systems}");

      hosts = import ./modules/hosts.nix {
        inherit nixpkgs nixos-hardware;
        root = ./.;
        modules = [ self.nixosModules.default ];
      };
    in
    {
      nixosModules = {
        default.imports = [
          self.nixosModules.common
          self.nixosModules.docker
          self.nixosModules.networking
          self.nixosModules.pistack
        ];
        common = ./modules/common.nix;
        docker = ./modules/docker.nix;
        networking = ./modules/networking.nix;
        pistack =
          { lib, pkgs, ... }:
          {
            imports = [ ./modules/pistack.nix ];
            pistack.package = lib.mkDefault (devicePisec pkgs.stdenv.hostPlatform.system);
            pistack.builderPackage = lib.mkDefault self.packages.${buildSystem}.pisec;
          };
      };

      nixosConfigurations = hosts.configurations;

      packages = eachSystem (
        pkgs:
        let
          build = pkgs.callPackage ./modules/package { };
        in
        {
          default = build { name = "pistack"; };
          pistack = build { name = "pistack"; };
          pisec = build { name = "pisec"; };
        }
        // lib.listToAttrs (
          map (system: {
            name = "pisec-${system}";
            value = build {
              name = "pisec";
              target = system;
            };
          }) deviceSystems
        )
      );

      devShells = eachSystem (pkgs: {
        default = pkgs.mkShellNoCC {
          packages = [
            pkgs.age
            pkgs.ansible
            pkgs.docker-client
            pkgs.git
            pkgs.go
            pkgs.nix
            pkgs.nixfmt
            pkgs.nixos-rebuild-ng
            pkgs.openssh
          ];
        };
      });

      formatter = eachSystem (pkgs: pkgs.nixfmt-tree);

      checks = eachSystem (
        pkgs:
        {
          inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) pisec pistack;

          formatting =
            pkgs.runCommand "check-formatting"
              {
                nativeBuildInputs = [ pkgs.nixfmt ];
                src = lib.fileset.toSource {
                  root = ./.;
                  fileset = lib.fileset.fileFilter (file: file.hasExt "nix") ./.;
                };
              }
              ''
                find "$src" -name '*.nix' -exec nixfmt --check {} +
                touch "$out"
              '';
        }
        # Evaluated to a derivation, and not built: the hosts are of other systems too.
        // lib.mapAttrs' (
          name: host:
          lib.nameValuePair "evaluates-${name}" (
            pkgs.writeText "evaluates-${name}" (
              builtins.unsafeDiscardStringContext host.config.system.build.toplevel.drvPath
            )
          )
        ) hosts.systems
      );
    };
}
