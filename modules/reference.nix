# The reference of every option of pistack, docs/options.md, as nixosOptionsDoc of nixpkgs makes it.
#
#   pkgs     of the machine that builds it
#   module   the NixOS module that has the options
#   root     folder of the modules' repository: declarations are named relative to it
#
# body is a derivation, to be put below the title. options is the same as data, so that whoever cannot
# build anything renders it nevertheless. problems tells which option keeps which rule not.
{
  pkgs,
  module,
  root,
}:

let
  inherit (pkgs) lib;

  evaluate =
    settings:
    import (pkgs.path + "/nixos/lib/eval-config.nix") {
      system = null;
      modules = [ module ] ++ settings;
    };

  # Two machines that have nothing in common but the module.
  machines = map evaluate [
    [ { nixpkgs.hostPlatform = "x86_64-linux"; } ]
    [
      (
        { pkgs, ... }:
        {
          nixpkgs.hostPlatform = "aarch64-linux";
          networking.hostName = "another";
          networking.firewall.enable = false;
          pistack.enable = true;
          pistack.package = pkgs.hello;
        }
      )
    ]
  ];

  relative =
    file:
    if lib.hasPrefix "${toString root}/" (toString file) then
      lib.removePrefix "${toString root}/" (toString file)
    else
      throw "an option of pistack is declared in ${toString file}, which is not in ${toString root}";

  documentOf =
    machine:
    pkgs.nixosOptionsDoc {
      options = { inherit (machine.options) pistack; };
      transformOptions =
        option:
        option
        // {
          declarations = map (file: {
            name = relative file;
            url = "../${relative file}";
          }) option.declarations;
        };
    };

  document = documentOf (lib.head machines);
  options = document.optionsNix;
  elsewhere = (documentOf (lib.last machines)).optionsNix;

  isBlank = text: text == null || lib.trim text == "";

  # What is wrong with an option, as pairs of whether it is and the words for it.
  rules = name: option: [
    (lib.nameValuePair "has no type" (lib.hasPrefix "unspecified" option.type))
    (lib.nameValuePair "has no description" (isBlank (option.description or null)))
    (lib.nameValuePair "has no example" (!(option ? example)))
    (lib.nameValuePair "has a default that depends on the machine: give it a defaultText" (
      (option.default or null) != (elsewhere.${name}.default or null)
    ))
    # The name of a submodule stands so in it.
    (lib.nameValuePair "has a default that depends on its name: give it a defaultText" (
      lib.hasInfix "‹" (option.default.text or "")
    ))
  ];
in
{
  inherit options;

  problems = lib.concatLists (
    lib.mapAttrsToList (
      name: option: map (rule: "${name} ${rule.name}") (lib.filter (rule: rule.value) (rules name option))
    ) options
  );

  title = ''
    # Options of the NixOS module

    Generated from modules/ by `make options`. Do not edit. [nixos.md](nixos.md) tells how to use them;
    in a fleet, `pistack generate` sets most of them.

  '';

  # Without the title, and with more than one blank line here and there.
  body = document.optionsCommonMark;
}
