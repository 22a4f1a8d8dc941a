{
  inputs = {
    pistack.url = "path:../../..";
    nixpkgs.follows = "pistack/nixpkgs";
  };

  outputs =
    inputs@{ pistack, ... }:
    {
      nixosConfigurations = pistack.lib.mkFleet {
        inherit inputs;
        root = ./.;
      };
    };
}
