/* Words around names, folded, for some twenty languages: what stands before and after a name, and
 * what is written with a capital letter and is none. A word may stand in several lists. */
#include "text/nameword.h"

/* clang-format off */
const struct nameword_list nameword_cues[] = {
    { NAME_HONOR,
        "mr mrs ms miss mx dr doctor prof professor sir madam dame lady lord rev reverend captain "
        "capt lieutenant lt sergeant sgt colonel col president senator mayor princess prince pope "
        "uncle aunt auntie aunty granny grandma grandpa herr frau fraulein doktor onkel tante opa "
        "oma pfarrer monsieur madame mademoiselle mme mlle maitre docteur tonton tata senor "
        "senora senorita sra srta don dona doctora tio tia abuela abuelo signor signora signorina "
        "sig dott dottor dottoressa zio zia nonno nonna senhor senhora avo mevrouw mevr meneer "
        "juffrouw dhr oom pan pani wujek ciocia ciotka babcia dziadek herra rouva fru froken fro "
        "farbror moster faster morbror sheikh sheik sayyid ustad haji hajji shri smt pandit swami "
        "gospodin dyadya tyotya sensei rabbi imam" },
    { NAME_AFTER,
        "san sama kun chan bey hanim abi abla amca teyze bhai didi saheb sahib effendi agha "
        "khanom" },
    /* English */
    { NAME_KIN,
        "neighbour neighbor neighbours boss friend mate buddy pal colleague coworker cousin "
        "nephew niece husband wife son daughter brother sister mother father mum mom dad uncle "
        "aunt auntie grandma grandpa grandmother grandfather granny nan stepfather stepmother "
        "stepson stepdaughter stepbrother stepsister godmother godfather godson goddaughter "
        "grandson granddaughter partner girlfriend boyfriend fiance fiancee roommate flatmate "
        "housemate teammate classmate teacher tutor dentist doctor nurse therapist lawyer "
        "solicitor accountant plumber builder electrician landlord landlady manager assistant "
        "secretary client patient pupil coach trainer hairdresser barber vet vicar priest "
        "babysitter nanny cleaner gardener driver twin ex crush bestie supervisor mentor intern "
        "tenant lodger guest colonel surgeon midwife" },
    /* German */
    { NAME_KIN,
        "nachbar nachbarin nachbarn chef chefin freund freundin freunde kollege kollegin kollegen "
        "cousine vetter neffe nichte mann frau sohn tochter bruder schwester mutter vater mama "
        "papa onkel tante oma opa enkel enkelin schwager schwagerin schwiegermutter "
        "schwiegervater schwiegersohn schwiegertochter mitbewohner mitbewohnerin lehrer lehrerin "
        "arzt arztin zahnarzt zahnarztin anwalt anwaltin hausarzt hausarztin vermieter "
        "vermieterin kumpel verlobte verlobter patentante patenonkel mitschuler mitschulerin "
        "handwerker trainerin" },
    /* French */
    { NAME_KIN,
        "voisin voisine patron patronne ami amie amis copain copine collegue cousin cousine neveu "
        "niece mari femme fils fille frere soeur mere pere maman papa oncle tante papi mamie "
        "medecin dentiste avocat avocate professeur prof coloc filleul filleule marraine parrain" },
    /* Spanish and Portuguese */
    { NAME_KIN,
        "vecino vecina jefe jefa amigo amiga companero companera colega primo prima sobrino "
        "sobrina marido esposo esposa mujer hijo hija hermano hermana madre padre tio tia abuelo "
        "abuela cunado cunada suegro suegra nuera yerno novio novia profesor profesora medico "
        "medica dentista abogado abogada madrina padrino vizinho vizinha chefe patrao sobrinho "
        "sobrinha mulher filho filha irmao irma mae pai avo sogra sogro cunhado cunhada namorado "
        "namorada noivo noiva professora advogado advogada" },
    /* Italian */
    { NAME_KIN,
        "vicino vicina capo amico amica collega cugino cugina nipote marito moglie figlio figlia "
        "fratello sorella padre mamma babbo nonno nonna zio zia suocero suocera cognato cognata "
        "genero nuora fidanzato fidanzata ragazzo ragazza professore professoressa avvocato "
        "avvocata dottore dottoressa coinquilino coinquilina compagno compagna" },
    /* Dutch, Polish, Scandinavian, Turkish */
    { NAME_KIN,
        "buurman buurvrouw buurjongen buurmeisje baas vriend vriendin neef vrouw zoon dochter "
        "broer broertje zus zusje moeder vader oom schoonmoeder schoonvader huisarts tandarts "
        "collegas sasiad sasiadka sasiadem sasiada sasiadki sasiadke szef szefowa szefem "
        "przyjaciel przyjaciolka przyjacielem przyjaciela przyjaciolki kolega kolezanka koledze "
        "kolezanki kolezanke kuzyn kuzynka kuzynem maz mezem zona syn synem corka corki brat "
        "bratem siostra siostry siostre matka ojciec tata wujek wujkiem ciocia ciotka babcia "
        "dziadek tesciowa tesc szwagier narzeczony narzeczona granne grannen granna nabo naboen "
        "nabon sjef sjefen chefen venn vennen venninne veninde vannen vaninna vaninnan kollegan "
        "kollegaen kusin kusinen fetter fetteren kusine kone konen hustru hustrun mannen sonn "
        "sonnen datter datteren dotter dottern bror broren brodern soster sosteren syster systern "
        "mamma pappa mormor morfar farmor farfar svigermor komsum komsumuz patronum arkadasim "
        "arkadasi kuzenim kocam karim esim oglum kizim kardesim ablam abim agabeyim annem babam "
        "teyzem halam amcam dayim yegenim" },
    { NAME_CALLED,
        "name nom nombre nome naam navn namn imie called named nicknamed christened heisst heisse "
        "hiess namens genannt appelle appelait nomme nommee prenomme prenommee llama llamaba "
        "llamado llamada llamo chiama chiamava chiamato chiamata chama chamava chamado chamada "
        "heet heette genaamd imieniu nazywa heter hette hedder hed adinda isimli adli" },
    { NAME_SAYS,
        "said says told asked replied answered wrote phoned rang thinks thought laughed laughs "
        "smiled cried nodded whispered shouted explained suggested insisted promised apologised "
        "apologized admitted knows loves hates likes wants died hugged texted emailed shrugged "
        "sighed agreed argued complained sagte sagt meinte meint erzahlte erzahlt fragte fragt "
        "antwortete antwortet schrieb schreibt rief lachte lacht weinte glaubt denkt heiratete "
        "starb disait raconte racontait repond repondu pense ecrit dijo dice decia pregunto "
        "respondio conto cuenta escribio piensa cree disse diceva chiese rispose racconto scrisse "
        "pensa crede detto diz perguntou respondeu contou escreveu ligou acha zei zegt vroeg "
        "vertelde antwoordde schreef belde vindt powiedzial powiedziala mowi mowil mowila zapytal "
        "zapytala odpisal odpisala napisal napisala zadzwonil zadzwonila mysli twierdzi sade sier "
        "sagde spurte fragade svarade svarte skrev ringte ringde tenker tycker synes dedi diyor "
        "soyledi sordu yazdi aradi anlatti" },
    { NAME_MEETS,
        "met meeting tell told ask asked thank thanked married marry hugged kissed phoned invited "
        "congratulate dear hi hello hey thanks cheers goodbye bye hallo hei hej hoi ciao hola ola "
        "salut bonjour cher chere liebe lieber beste kjaere kara kaere querido querida caro cara "
        "droga drogi sevgili merhaba traf treffe getroffen rencontre rencontrer visiting" },
    { NAME_AND,
        "and und et y e en i och og ve" },
    { NAME_OWNED,
        "cat dog birthday house car bike kids children baby boat room phone wedding funeral party "
        "flat garden voice face hands hair letter book family parents grave job new old" },
    { NAME_WITH,
        "with mit avec con com ile z" },
    { NAME_SPEAKS,
        "spoke speak speaking talk talked talking wrote write writing listen listened gave give "
        "sent send lent showed apologised apologized said" },
    { NAME_WHERE,
        "in at to from near via around across outside visit visited through toward towards reach "
        "leave left nach aus en dans vers depuis a da desde hacia em para naar uit te w do fra "
        "fran til till" },
    { NAME_PARTICLE,
        "van von zu de der den del della di da do dos das du des la le el al bin ibn bint ben ter "
        "ten te af av y e i" },
    { NAME_THING,
        "street st road rd avenue ave lane drive square park station airport bridge hall house "
        "college school university hospital church cathedral castle palace museum hotel inn pub "
        "bar restaurant cafe bank ltd limited inc llc plc gmbh ag corp company co group county "
        "city town village river lake bay beach island islands mountain mountains mount valley "
        "canyon hill hills woods forest garden gardens market centre center cup league prize "
        "award day week festival act law tower row theorem effect disease syndrome code motors "
        "electric fc united airlines stadium gate post times news press books studios records "
        "show game games series films monument institute foundation society club team tour trail "
        "falls springs creek point harbour harbor port cape coast north south east west strasse "
        "platz weg allee gasse ufer brucke kirche schule straat plein gracht gatan gata sokak "
        "caddesi ulica desert sea ocean gulf book film movie band song ship boat dish theatre "
        "theater library office shop party committee council ministry republic kingdom empire era "
        "age calendar bible testament flower flowers cake tea" },
    { NAME_PLACED,
        "lake fort mount mt port cape point loch river st saint sainte san santa sao sankt rue "
        "avenue boulevard place quai pont calle plaza via piazza corso viale rua avenida camp "
        "hotel cafe club hms" },
    { NAME_LETTER,
        "vitamin plan section part hepatitis type class grade option figure table group appendix "
        "exhibit schedule block flat platform gate line" },
    { NAME_ARTICLE,
        "der die das dem den des ein eine einen einem einer eines kein keine keinen mein meine "
        "meinen meinem meiner dein deine seine sein ihr ihre unser unsere diese dieser dieses "
        "diesen jeder jede jedes alle viele the a an this that these those every each some any no "
        "all" },
    /* English, and of the English-speaking world */
    { NAME_SURNAME,
        "smith jones williams brown davies davis evans thomas roberts johnson lewis robinson "
        "thompson wright hughes walters green hall clarke whitlock whitaker patterson peterson "
        "johnston henderson anderson richardson stephenson stevenson robertson nicholson simpson "
        "watson wilson jackson ferguson macdonald mcdonald mackenzie mccarthy mckenna obrien "
        "oconnor oneill sullivan murphy kelly walsh gallagher doherty kennedy fitzgerald campbell "
        "cunningham donaldson armstrong atkinson barker bailey baxter bennett blackwell bradshaw "
        "buckley burgess burrows butcher chambers chapman collins connolly cartwright crawford "
        "dawson dickinson dobson edwards ellison farrell fernsby fleming forster gibson goodwin "
        "gould griffiths haynes hawkins higgins hodgson holloway hopkins humphries hutchinson "
        "jenkins jennings kirby lambert livingstone lowe marsden matthews metcalfe morrison "
        "osborne parkinson pearce perkins phillips pritchard reynolds rodgers sanderson saunders "
        "sinclair stokes sutton tomlinson townsend underwood vaughan wainwright watkins "
        "whitehouse wilkinson wilkins winters woodward yates okafor okonkwo adeyemi osei mensah "
        "boateng asante owusu nkrumah mwangi kamau ochieng otieno dlamini ndlovu nkosi mokoena "
        "banda moyo abara adichie eze balogun" },
    /* German */
    { NAME_SURNAME,
        "muller schmidt schneider schmitt schmitz hoffmann neumann zimmermann hartmann lehmann "
        "kruger hofmann hermann kohler schulze schulz schultz schafer becker wagner meyer meier "
        "maier mayer weber fischer bauer richter klein schroder schwarz braun krause werner "
        "schubert seidel heinrich brandt haas schreiber dietrich ziegler kuhn pohl horn busch "
        "bergmann voigt sauer pfeiffer arnold hahn vogel jung keller frank berger winkler roth "
        "beck lorenz baumann franke albrecht schuster simon ludwig bohm kraus schumacher kramer "
        "vogt stein jager gross sommer seifert schiller kaufmann wittmann oppermann lindner engel "
        "huber gruber hofer pichler steiner moser brunner bieler zeller aigner" },
    /* French */
    { NAME_SURNAME,
        "dubois durand lefebvre lefevre leroy moreau laurent girard bonnet dupont fontaine "
        "rousseau lambert fournier mercier blanchard faure gauthier perrin chevalier garnier "
        "morel boyer marchand rousset dumas besnard delorme charpentier lemaire renard picard "
        "barbier renaud lacroix colin guillot dufour meunier brunet chauvin giraud jacquet "
        "leclerc lecomte poirier pelletier carpentier benoit arnaud bertrand roussel deschamps "
        "lefort nguyen tremblay gagnon bouchard cote" },
    /* Spanish and Portuguese */
    { NAME_SURNAME,
        "garcia gonzalez rodriguez fernandez lopez martinez sanchez perez gomez jimenez ruiz "
        "hernandez diaz moreno alvarez munoz romero alonso gutierrez navarro dominguez vazquez "
        "ramos gil ramirez serrano molina suarez ortega delgado castro ortiz rubio marin sanz "
        "iglesias nunez medina garrido cortes castillo lozano guerrero cano mendez herrera pena "
        "calvo vidal campos vega fuentes carrasco aguilar reyes soto velasco cabrera montero "
        "silva santos ferreira pereira oliveira costa rodrigues martins sousa souza fernandes "
        "goncalves gomes lopes marques alves almeida ribeiro pinto carvalho teixeira moreira "
        "correia mendes nunes vieira barbosa araujo barros cardoso rocha azevedo figueiredo "
        "coelho" },
    /* Italian */
    { NAME_SURNAME,
        "rossi russo ferrari esposito bianchi romano colombo ricci marino greco bruno gallo conti "
        "deluca mancini costa giordano rizzo lombardi moretti barbieri fontana santoro mariani "
        "rinaldi caruso ferrara galli martini leone longo gentile martinelli vitale lombardo "
        "serra coppola desantis damico parisi villa conte ferraro fabbri bianco marini grasso "
        "valentini messina sala deangelis gatti pellegrini palumbo sanna farina rizzi monti "
        "cattaneo morelli amato silvestri mazza testa grassi pellegrino carbone giuliani "
        "benedetti barone" },
    /* Dutch, Scandinavian, Finnish */
    { NAME_SURNAME,
        "jansen janssen visser smit meijer mulder bos vos peters hendriks dekker brouwer dijkstra "
        "smits vermeulen jacobs scholten willems hoekstra koster verhoeven postma kuipers "
        "veenstra kramer bosman wouters dejong devries vandijk bakker hansen johansen olsen "
        "larsen andersen pedersen nilsen kristiansen jensen karlsen johnsen pettersen eriksen "
        "berg haugen hagen johannessen andreassen jacobsen dahl jorgensen henriksen lund "
        "halvorsen sorensen jakobsen moen gundersen iversen strand solberg svendsen eide knutsen "
        "martinsen nielsen christensen rasmussen madsen kristensen olesen thomsen christiansen "
        "poulsen johansson andersson karlsson nilsson eriksson larsson olsson persson svensson "
        "gustafsson pettersson jonsson jansson hansson bengtsson lindberg jakobsson magnusson "
        "lindstrom lindqvist lindgren axelsson bergstrom lundberg lundgren berglund virtanen "
        "korhonen makinen nieminen makela hamalainen laine heikkinen koskinen jarvinen lehtonen" },
    /* Slavic, Hungarian, Greek, Turkish */
    { NAME_SURNAME,
        "nowak kowalski kowalska wisniewski wisniewska wojcik kowalczyk kaminski kaminska "
        "lewandowski lewandowska zielinski zielinska szymanski szymanska wozniak dabrowski "
        "dabrowska kozlowski mazur jankowski kwiatkowski krawczyk piotrowski grabowski nowakowski "
        "pawlowski michalski adamczyk dudek zajac wieczorek jablonski krol majewski olszewski "
        "stepien novak novakova svoboda novotny dvorak cerny prochazka kucera vesely horak nemec "
        "pokorny marek hajek jelinek kovac horvat babic maric juric nagy kovacs toth szabo "
        "horvath varga kiss molnar papadopoulos georgiou nikolaidis ivanov ivanova petrov petrova "
        "sidorov smirnov smirnova kuznetsov popov popova volkov sokolov lebedev kozlov novikov "
        "morozov pavlov orlov shevchenko kovalenko bondarenko tkachenko yilmaz kaya demir celik "
        "sahin yildiz yildirim ozturk aydin ozdemir arslan dogan kilic aslan cetin kara koc kurt "
        "ozkan simsek polat korkmaz erdogan" },
    /* Asia, Arabic, Persian */
    { NAME_SURNAME,
        "singh patel sharma verma gupta kumar shah khan reddy iyer nair menon pillai chatterjee "
        "banerjee mukherjee bose sengupta joshi desai mehta kapoor malhotra chopra agarwal "
        "aggarwal bhatia srivastava mishra tiwari pandey yadav chauhan thakur jain kulkarni "
        "deshpande patil naidu rao krishnamurthy subramanian perera fernando silva jayawardena "
        "hussain ahmed ali rahman chowdhury begum akhtar malik iqbal qureshi sheikh siddiqui "
        "bhatti butt chaudhry hossain wang zhang liu chen yang huang zhao zhou zhu guo gao luo "
        "zheng liang xie tang deng feng cao peng zeng xiao cai jiang pan du ye cheng su lu wei "
        "yuan fu shen wu xu tanaka sato suzuki takahashi watanabe ito yamamoto nakamura kobayashi "
        "kato yoshida yamada sasaki yamaguchi matsumoto inoue kimura hayashi shimizu saito mori "
        "ikeda hashimoto ishikawa ogawa goto okada hasegawa fujita kondo murakami nakajima kim "
        "park choi jung kang cho yoon jang lim nguyen tran le pham huynh hoang phan vu vo dang "
        "bui haddad khoury nasser mansour khalil saleh farouk elsayed hosseini ahmadi rezaei "
        "karimi mohammadi moradi jafari rahimi ebrahimi tehrani shirazi" },
    /* Days, months, feasts, languages, peoples */
    { NAME_NEVER,
        "monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun "
        "january february march october november december september christmas xmas easter "
        "halloween ramadan eid diwali hanukkah passover montag dienstag mittwoch donnerstag "
        "freitag samstag sonntag januar februar marz oktober dezember weihnachten ostern lundi "
        "mardi mercredi jeudi vendredi samedi dimanche lunes martes miercoles jueves viernes "
        "sabado domingo segunda terca quarta quinta sexta lunedi martedi mercoledi giovedi "
        "venerdi maandag dinsdag woensdag donderdag vrijdag zaterdag zondag english british "
        "scottish welsh irish german french spanish italian portuguese dutch polish russian "
        "ukrainian turkish greek arabic persian hebrew chinese japanese korean indian american "
        "canadian australian african european asian mexican brazilian swedish norwegian danish "
        "finnish swiss austrian belgian latin western eastern deutsch englisch franzosisch "
        "christian christians muslim muslims jewish jews hindu buddhist catholic protestant "
        "anglican god lord jesus christ allah buddha bible koran quran internet" },
    /* Countries, cities */
    { NAME_NEVER,
        "europe africa asia america england britain uk usa us eu scotland wales ireland germany "
        "deutschland frankreich spain espana italy italien portugal netherlands nederland holland "
        "belgium belgien poland polska polen russia russland ukraine turkey turkiye greece sweden "
        "sverige norway norge denmark danmark finland suomi switzerland schweiz austria "
        "osterreich czechia hungary romania bulgaria serbia croatia canada australia brazil "
        "brasil mexico argentina chile colombia japan korea taiwan vietnam thailand indonesia "
        "malaysia singapore pakistan bangladesh nepal iran iraq syria lebanon egypt morocco "
        "tunisia algeria nigeria uganda rwanda tanzania ethiopia london manchester birmingham "
        "liverpool leeds bristol glasgow edinburgh cardiff belfast cambridge york brighton "
        "cornwall bath amsterdam rotterdam utrecht haag brussels brussel munich munchen koln "
        "cologne hamburg frankfurt stuttgart dresden leipzig bremen hannover wien vienna zurich "
        "basel bern salzburg graz kiel madrid barcelona sevilla bilbao zaragoza lisboa porto "
        "milano torino napoli roma bologna palermo genova venezia firenze paris marseille "
        "toulouse bordeaux lille nantes strasbourg warsaw warszawa krakow cracow gdansk wroclaw "
        "poznan prague praha budapest moscow moskva kyiv kiev petersburg istanbul ankara izmir "
        "athens stockholm goteborg malmo oslo bergen kobenhavn copenhagen helsinki tokyo osaka "
        "beijing shanghai delhi mumbai bangalore chennai kolkata dhaka karachi lahore tehran "
        "baghdad damascus beirut cairo lagos nairobi accra chicago angeles francisco seattle "
        "texas california toronto montreal vancouver melbourne brisbane perth auckland rio thames "
        "rhine rhein danube donau seine alps alpen" },
    /* Brands, and what is written large for other reasons */
    { NAME_NEVER,
        "google apple microsoft amazon facebook meta instagram whatsapp twitter youtube netflix "
        "spotify telegram signal slack zoom discord reddit linkedin tiktok uber airbnb ikea tesco "
        "aldi lidl sainsbury waitrose samsung sony nokia toyota bmw volkswagen audi fiat renault "
        "peugeot honda volvo android iphone ipad macbook windows linux python java javascript "
        "excel word outlook gmail chrome firefox github wikipedia openai chatgpt claude gpt bbc "
        "cnn nhs dna pdf html http https www ok okay tv ceo cto hr pm am phd ma ba id faq asap "
        "fyi btw omg lol ps re fwd fw subject date cc bcc person phone address account mail code "
        "team customer customers world committee colleagues friends guys diary reader readers "
        "madam sir grusse grussen freunde kollegen eltern mr mrs ms dr prof mum mom dad mummy "
        "daddy mama papa mutti vati" },
    /* What begins sentences */
    { NAME_NEVER,
        "the this that these those there here what when where which who whom whose why how he she "
        "it we they you i me my his her our their your its and or but so if then than as because "
        "although though while after before since until unless once whether yes no not never "
        "always often sometimes maybe perhaps also even still yet just only very too quite rather "
        "again soon later now today tomorrow yesterday tonight everybody everyone everything "
        "somebody someone something nobody nothing anybody anyone anything people folks others "
        "both all some many most few several another each every any one two three four five six "
        "seven eight nine ten first last next is are was were be been do does did have has had "
        "can could should would shall must might may will let please sorry welcome happy good "
        "great nice lovely bad best new old big little high low long short back down off on out "
        "over under up well oh ah hm hmm haha der die das ein eine ich du er sie es wir ihr und "
        "oder aber wenn weil dass als wie wo wer nicht kein auch noch schon nur mal dann danach "
        "heute gestern morgen jetzt hier da dort vielleicht nachdem bevor seit mein meine dein "
        "deine sein seine unser unsere alle viele leute jemand niemand guten liebe herzlichen "
        "danke bitte ja nein le la les un une des je tu il elle nous vous ils elles et ou mais "
        "donc car si que qui quand comme pour dans sur sous chez avec sans mon ma mes ton ta tes "
        "son sa ses notre votre leur ce cet cette ces oui non merci demain puis alors tout tous "
        "el los las una unos unas yo ella nosotros ellos ellas y pero porque cuando como donde mi "
        "mis tus su sus nuestro este esta eso ayer hoy manana luego gracias muy bien todos todo "
        "lo gli uno io lui lei noi voi loro e perche quando dove mio mia miei tuo tua suo sua "
        "nostro questo questa ieri oggi domani poi grazie tutti os um uma eu ele voce eles mas "
        "onde meu minha seu nosso ontem hoje amanha depois obrigado obrigada de het een ik jij "
        "hij zij wij jullie en of maar omdat toen waar mijn jouw zijn haar ons onze dit dat deze "
        "gisteren vandaag dank nee ty ona ono wy oni lub ale bo gdy kiedy gdzie jak moj moja moje "
        "twoj jego jej nasz wczoraj dzis dzisiaj jutro tak nie jeg han hun vi dere og eller men "
        "fordi nar hvor min mitt mine din hans hennes var gar dag takk jag hon ni dom och dar "
        "mina ben sen o biz siz onlar ve veya ama cunku benim senin onun dun bugun yarin evet "
        "hayir tesekkurler" },
    { 0, 0 },
};
/* clang-format on */
