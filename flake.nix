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
    inputs@{ self, nixpkgs, ... }:
    let
      inherit (nixpkgs) lib;

      given = import ./modules/fleet.nix { pistack = self; };

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

      # What docs/options.md is made of.
      referenceFor =
        pkgs:
        import ./modules/reference.nix {
          inherit pkgs;
          module = self.nixosModules.pistack;
          root = ./.;
        };

      # A host on every board, to look at and not to build.
      boards = self.lib.mkFleet {
        inherit inputs;
        root = ./testdata/nixos/boards;
      };

      # Whether a host starts from its own system as from its image, and if not, why.
      agreement =
        name: fleet:
        let
          differences = import ./modules/agreement.nix {
            inherit lib;
            host = fleet.${name};
            image = fleet."${name}-sd";
          };
        in
        lib.throwIf (differences != [ ]) (
          "${name} and ${name}-sd differ:\n" + lib.concatLines differences
        ) "the same file systems, boot loader and kernel";

      # <host> without <host>-sd
      hostsOf = lib.filterAttrs (name: _: !lib.hasSuffix "-sd" name);
    in
    {
      inherit (given) nixosModules;
      lib = { inherit (given) mkFleet; };

      # This repository is a fleet, too.
      nixosConfigurations = self.lib.mkFleet {
        inherit inputs;
        root = ./.;
      };

      packages = eachSystem (
        pkgs:
        let
          build = pkgs.callPackage ./modules/package { };
        in
        {
          default = build { name = "pistack"; };
          pistack = build { name = "pistack"; };
          pisec = build { name = "pisec"; };

          # docs/options.md as it should be.
          reference =
            let
              reference = referenceFor pkgs;
            in
            pkgs.runCommand "options.md" { } ''
              cat ${pkgs.writeText "title.md" reference.title} ${reference.body} | cat -s >"$out"
            '';
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

      # What `pistack init` writes, without the user's own keys.
      templates.default = {
        path = ./internal/scaffold/fleet;
        description = "A fleet of one host and one stack";
        welcomeText = "Put your public keys into fleet.toml (operators) and authorized_keys, then `git add .`: README.md says how to go on.";
      };

      devShells = eachSystem (pkgs: {
        # What people need who run a fleet.
        fleet = pkgs.mkShellNoCC {
          packages = [
            self.packages.${pkgs.stdenv.hostPlatform.system}.pisec
            self.packages.${pkgs.stdenv.hostPlatform.system}.pistack
            pkgs.e2fsprogs
            pkgs.git
            pkgs.nixos-rebuild-ng
            pkgs.openssh
          ];
        };

        # What people need who work on pistack itself.
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
        // {
          # Every option is documented, and docs/options.md is what its modules say.
          reference =
            let
              inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) reference;
              inherit (referenceFor pkgs) problems;
            in
            lib.throwIf (problems != [ ]) (lib.concatLines problems) (
              pkgs.runCommand "check-reference" { } ''
                if ! diff -u ${./docs/options.md} ${reference}; then
                  echo "docs/options.md is stale: nix build .#reference && cp result docs/options.md" >&2
                  exit 1
                fi
                touch "$out"
              ''
            );
        }
        // lib.mapAttrs' (
          name: host:
          lib.nameValuePair "evaluates-${name}" (
            pkgs.writeText "evaluates-${name}" (
              builtins.unsafeDiscardStringContext host.config.system.build.toplevel.drvPath
            )
          )
        ) (hostsOf self.nixosConfigurations)
        // lib.mapAttrs' (
          name: _:
          lib.nameValuePair "agrees-${name}" (
            pkgs.writeText "agrees-${name}" (agreement name self.nixosConfigurations)
          )
        ) (hostsOf self.nixosConfigurations)
        // lib.mapAttrs' (
          name: _: lib.nameValuePair "board-${name}" (pkgs.writeText "board-${name}" (agreement name boards))
        ) (hostsOf boards)
      );
    };
}
