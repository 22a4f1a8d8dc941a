# The NixOS configurations of a fleet: <host> and <host>-sd for every folder of hosts/ that has a
# host.toml.
#
# Of host.toml this reads system, board, roles, open and network; the rest is for pistack. A board or
# role is modules/boards/<board>.nix or modules/roles/<role>.nix of the fleet, or else the one beside
# this file.
{
  nixpkgs,
  nixos-hardware,
  root,
  specialArgs,
  modules,
}:

let
  inherit (nixpkgs) lib;

  inHosts = if builtins.pathExists (root + "/hosts") then builtins.readDir (root + "/hosts") else { };
  isHost =
    name: inHosts.${name} == "directory" && builtins.pathExists (root + "/hosts/${name}/host.toml");
  names = lib.filter isHost (builtins.attrNames inHosts);

  # The Nix files of a folder, by name without suffix.
  modulesIn =
    folder:
    lib.optionalAttrs (builtins.pathExists folder) (
      lib.mapAttrs' (file: _: lib.nameValuePair (lib.removeSuffix ".nix" file) (folder + "/${file}")) (
        lib.filterAttrs (file: _: lib.hasSuffix ".nix" file) (builtins.readDir folder)
      )
    );

  boards = modulesIn ./boards // modulesIn (root + "/modules/boards");
  roles = modulesIn ./roles // modulesIn (root + "/modules/roles");
  images = modulesIn ./images;

  # One of those that a host.toml can name.
  choose =
    host: kind: known: name:
    known.${name}
      or (throw "hosts/${host}/host.toml: unknown ${kind} ${builtins.toJSON name}: there are ${lib.concatStringsSep ", " (builtins.attrNames known)}");

  describe =
    name:
    let
      file = "hosts/${name}/host.toml";
      toml = builtins.fromTOML (builtins.readFile (root + "/${file}"));
      required = key: toml.${key} or (throw "${file}: ${key} is missing");
    in
    {
      system = required "system";
      image = choose name "system" images (required "system");
      board = choose name "board" boards (required "board");
      roles = map (choose name "role" roles) (toml.roles or [ ]);
      open = toml.open or [ ];
      network = lib.optional (toml ? network) (import ./fixed-address.nix toml.network);
    };

  configure =
    name:
    let
      host = describe name;
    in
    lib.nixosSystem {
      specialArgs = specialArgs // {
        inherit nixos-hardware;
      };
      modules =
        modules
        ++ host.roles
        ++ host.network
        ++ [
          host.board
          (root + "/hosts/${name}")
          {
            networking.hostName = name;
            nixpkgs.hostPlatform = host.system;
            pistack.firewall.open = host.open;
          }
        ];
    };

  image = name: system: system.extendModules { modules = [ (describe name).image ]; };

  systems = lib.genAttrs names configure;
  cards = lib.mapAttrs' (
    name: system:
    if systems ? "${name}-sd" then
      throw "hosts/${name}-sd: this is the name of the image of ${name}: give the host another one"
    else
      lib.nameValuePair "${name}-sd" (image name system)
  ) systems;
in
systems // cards
