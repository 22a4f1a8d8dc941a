{
  inputs.pistack.url = "github:pistack/pistack";
  inputs.nixpkgs.follows = "pistack/nixpkgs";

  outputs = inputs: {
    nixosConfigurations = inputs.pistack.lib.mkFleet {
      inherit inputs;
      root = ./.;
    };
    # nix run .#pistack, nix develop .#fleet, nix fmt
    inherit (inputs.pistack) packages devShells formatter;
  };
}
