{
  description = "A machine that had a configuration before it had pistack, and no fleet around it";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    pistack.url = "github:pistack/pistack";
    pistack.inputs.nixpkgs.follows = "nixpkgs";
  };

  outputs =
    { nixpkgs, pistack, ... }:
    {
      nixosConfigurations.server = nixpkgs.lib.nixosSystem {
        modules = [
          ./configuration.nix
          # The runtime alone: neither users, nor ssh, nor Docker's settings are touched.
          pistack.nixosModules.pistack
          ./stacks.nix
        ];
      };
    };
}
